// Owns the promise to those who gave up waiting: what they sent, and what lay somewhere until others had gone on, ends nothing.

import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService, TEST_ROOT_KEY } from '../support/service-process.ts';
import {
  expectEnded,
  expectValid,
  newSession,
  type Pair,
  pairOf,
  refresh,
} from './service-client.ts';

let redis: RedisServer;
let service: ServiceProcess;
beforeAll(async () => {
  redis = await startRedis();
  service = await startService({ REDIS_URL: redis.url });
});
afterAll(async () => {
  await service?.stop();
  await redis?.stop();
});

/** Sends a refresh and closes the connection without waiting for an answer. */
async function refreshAndLeave({ refreshToken }: Pair, leave: 'closes' | 'resets'): Promise<void> {
  const body = JSON.stringify({ refreshToken });
  const socket = connect(service.port, '127.0.0.1');
  await once(socket, 'connect');
  await new Promise<void>((resolve) => {
    socket.write(
      `POST /sessions/refresh HTTP/1.1\r\nhost: test\r\nauthorization: Bearer ${TEST_ROOT_KEY}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      () => resolve(),
    );
  });
  if (leave === 'closes') socket.end();
  else socket.resetAndDestroy();
}

it.each(['closes', 'resets'] as const)(
  'a refresh two rotations late whose sender %s the connection ends no session; one whose sender waits does',
  async (leave) => {
    const first = await newSession(service);
    const second = pairOf(await refresh(service, first));
    const third = pairOf(await refresh(service, second));

    // Redis stands still, so that the decision falls after the sender has gone.
    redis.freeze();
    await refreshAndLeave(first, leave);
    await sleep(300);
    redis.thaw();
    await sleep(300);
    await expectValid(service, third);

    expect((await refresh(service, first)).body['reason']).toBe('reused');
    await expectEnded(service, third);
  },
);
