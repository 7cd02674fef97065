// Owns the promises about a Redis that is full and evicts nothing: nobody gets in, everybody can be checked, and can leave.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  change,
  expectEnded,
  expectUnavailable,
  expectValid,
  listTag,
  listUser,
  newSession,
  type Pair,
  RECOVERED_MS,
  read,
  refresh,
  remove,
  removeUser,
  revokeByRefreshToken,
  revokeByToken,
  start,
  untilGood,
} from './service-client.ts';

let redis: RedisServer;
let service: ServiceProcess;
const sessions: Pair[] = [];
const session = (index: number): Pair => sessions[index] as Pair;

beforeAll(async () => {
  redis = await startRedis();
  service = await startService({ REDIS_URL: redis.url });
  for (const user of ['ann', 'ann', 'ann', 'ann', 'bob', 'bob', 'eve']) {
    sessions.push(await newSession(service, user));
  }
  await withRedis(redis.port, async (client) => {
    await client.set('junk', 'x'.repeat(4_000_000));
    await client.config('SET', 'maxmemory', 4_000_000);
    await expect(client.set('more', 'junk')).rejects.toThrow('OOM');
  });
});
afterAll(async () => {
  await service?.stop();
  await redis?.stop();
});

it('on a full Redis a start, a refresh and a change are an honest 503, and the refresh token stays good', async () => {
  expectUnavailable(await start(service));
  expectUnavailable(await change(service, session(6)));
  expectUnavailable(await refresh(service, session(6)));
  await expectValid(service, session(6));
});

it('on a full Redis sessions can be verified, read and listed', async () => {
  await expectValid(service, session(0));
  expect(await read(service, session(0))).toMatchObject({
    status: 200,
    body: { data: { userId: 'ann' } },
  });
  expect((await listUser(service, 'ann')).body['sessions']).toHaveLength(4);
  expect((await listTag(service)).body['sessions']).toHaveLength(7);
});

it('on a full Redis every way to end a session works', async () => {
  const ended: readonly Pair[] = [session(1), session(2), session(3)];
  expect((await revokeByToken(service, session(1))).status).toBe(204);
  expect((await revokeByRefreshToken(service, session(2))).status).toBe(204);
  expect((await remove(service, session(3))).status).toBe(204);
  expect((await removeUser(service, 'bob')).body).toEqual({ revoked: 2 });
  for (const pair of [...ended, session(4), session(5)]) await expectEnded(service, pair);
  expect((await listTag(service)).body['sessions']).toHaveLength(2);
});

it('once Redis has room again everything works at once', async () => {
  await withRedis(redis.port, (client) => client.del('junk'));
  await untilGood(() => start(service), RECOVERED_MS);
  expect((await refresh(service, session(6))).outcome).toBe('rotated');
});
