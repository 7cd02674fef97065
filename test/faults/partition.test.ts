// Owns the promise about an instance that the network cuts off from Redis without a word: packets vanish, connections stay open.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  ask,
  expectEnded,
  expectUnavailable,
  expectValid,
  newSession,
  pairOf,
  RECOVERED_MS,
  refresh,
  revokeByToken,
  start,
  untilGood,
  verify,
} from './service-client.ts';

let redis: RedisServer;
let network: TcpProxy;
let cutOff: ServiceProcess;
let connected: ServiceProcess;

beforeAll(async () => {
  redis = await startRedis();
  network = await startTcpProxy(redis.port);
  [cutOff, connected] = await Promise.all([
    startService({ REDIS_URL: `redis://127.0.0.1:${network.port}` }),
    startService({ REDIS_URL: redis.url }),
  ]);
});
afterAll(async () => {
  await Promise.all([cutOff?.stop(), connected?.stop()]);
  await network?.stop();
  await redis?.stop();
});

it('an instance cut off says 503 in time and never what it remembers, and serves again once connected', async () => {
  const [kept, revoked] = [await newSession(cutOff), await newSession(cutOff)];
  await expectValid(cutOff, revoked);
  network.dropAll();
  const successor = pairOf(await refresh(connected, kept));
  expect((await revokeByToken(connected, revoked)).status).toBe(204);
  // For longer than a connection attempt lasts.
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all([
      verify(cutOff, kept),
      verify(cutOff, revoked),
      refresh(cutOff, kept),
      revokeByToken(cutOff, revoked),
      start(cutOff),
      ask(cutOff, '/readyz'),
    ]);
    for (const answer of answers) expectUnavailable(answer);
  }
  network.passThrough();
  await untilGood(() => verify(cutOff, kept), RECOVERED_MS);
  expect((await refresh(cutOff, kept)).outcome).toBe('replayed');
  expect((await refresh(cutOff, successor)).outcome).toBe('rotated');
  await expectEnded(cutOff, revoked);
});
