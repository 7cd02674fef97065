// Owns the promises about a Redis that somebody tampers with: forgotten scripts, cut connections, emptied data.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RING_KEY } from '../../src/stores/redis/keys.ts';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  ANSWERED_MS,
  type Answer,
  expectEnded,
  expectUnavailable,
  expectValid,
  newSession,
  pairOf,
  refresh,
  revokeByToken,
  start,
  verify,
} from './service-client.ts';

const DISTURBED_MS = 2500;
const CLIENTS = 8;
/** How often an instance compares its keys with the store's. */
const HOUSEKEEPING_MS = 5000;

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

/** One client's life: it starts a session, checks and refreshes it, and asks again after a 503. Returns every answer. */
async function live(userId: string, on: () => boolean): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  const insist = async (call: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      const answer = await call();
      answers.push(answer);
      if (answer.status !== 503) return answer;
      expectUnavailable(answer);
    }
  };
  while (on()) {
    let pair = pairOf(await insist(() => start(service, userId)));
    for (let i = 0; i < 5; i++) {
      expect((await insist(() => verify(service, pair))).body['valid']).toBe(true);
      pair = pairOf(await insist(() => refresh(service, pair)));
    }
  }
  return answers;
}

/** Lets clients live while `disturb` is done every so often. */
async function liveDisturbed(
  everyMs: number,
  disturb: (control: Redis) => Promise<unknown>,
): Promise<readonly Answer[]> {
  return withRedis(redis.port, async (control) => {
    let on = true;
    const clients = Promise.all(
      Array.from({ length: CLIENTS }, (_, i) => live(`user_${i}`, () => on)),
    );
    const endMs = performance.now() + DISTURBED_MS;
    while (performance.now() < endMs) {
      await disturb(control);
      await sleep(everyMs);
    }
    on = false;
    const answers = (await clients).flat();
    const slowestMs = Math.max(...answers.map(({ ms }) => ms));
    expect(answers.length).toBeGreaterThan(50);
    expect(slowestMs).toBeLessThan(ANSWERED_MS);
    return answers;
  });
}

it('scripts forgotten all the time are noticed by nobody', async () => {
  const answers = await liveDisturbed(5, (control) => control.script('FLUSH'));
  expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
});

it('connections cut all the time log nobody out', async () => {
  await liveDisturbed(100, (control) =>
    control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  );
});

it('a Redis that takes no writes for a while costs nobody the session', async () => {
  const pair = await newSession(service);
  await withRedis(redis.port, async (client) => {
    await client.config('SET', 'min-replicas-to-write', 1);
    await expect(client.set('a', 'b')).rejects.toThrow('NOREPLICAS');
    const calls = [start(service), refresh(service, pair), revokeByToken(service, pair)];
    for (const answer of await Promise.all(calls)) expectUnavailable(answer);
    // To read it is allowed to refuse, not to lie.
    const judged = await verify(service, pair);
    if (judged.status === 503) expectUnavailable(judged);
    else expect(judged.body['valid']).toBe(true);
    await client.config('SET', 'min-replicas-to-write', 0);
  });
  await expectValid(service, pair);
  expect((await refresh(service, pair)).outcome).toBe('rotated');
});

it('an emptied Redis ends the old sessions honestly and takes new ones, and gets the signing keys back', async () => {
  const lost = await newSession(service);
  await withRedis(redis.port, (client) => client.flushall());
  await expectEnded(service, lost);
  const kept = await newSession(service);
  await expectValid(service, kept);
  await until('the instance has put its keys back', HOUSEKEEPING_MS + 2000, async () =>
    withRedis(redis.port, async (client) => (await client.exists(RING_KEY)) === 1),
  );
  const second = await startService({ REDIS_URL: redis.url });
  try {
    await expectValid(second, kept);
    await expectValid(service, await newSession(second));
    await expectEnded(second, lost);
  } finally {
    await second.stop();
  }
});
