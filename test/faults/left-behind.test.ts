// Owns the proof that Redis is as it was, key for key, when all that came has ended: on a server of its own, whose clock is moved.

import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changedKeys, readState, type StoreState } from '../../proof/fuzz/store-state.ts';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { call, type Pair, post, refresh, START, start, verify } from '../http/api.ts';
import { until } from '../support/redis-client.ts';
import type { RedisClock } from '../support/redis-clock.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';

const HOUR_MS = 3_600_000;
/** How long a claim on an Idempotency-Key lives, with what the token's life may add. */
const CLAIM_MS = 25 * HOUR_MS;
/** The record of users is kept in parts, each until its last user is forgotten and up to two hours more. */
const PART_MS = 2 * HOUR_MS;

let server: RedisServer;
let clock: RedisClock;
let redis: Redis;
let store: RedisStore;
let service: TestApp;
let baseline: StoreState;

const advance = async (ms: number): Promise<void> => {
  service.clock.advance(ms);
  await clock.set(service.clock.wallMs());
};

/** By name, as Redis has them now: what has expired is dropped as it is looked at. */
const keysNow = async (): Promise<string[]> => changedKeys(baseline, await readState(redis)).sort();
/** Of sessions, their indexes and claims, or `of` alone. */
const keysOf = async (...of: string[]): Promise<string[]> =>
  (await keysNow()).filter((key) => of.some((each) => key.startsWith(`${each}:`)));

const ofUser = (userId: string, tag = START.tag): Promise<Pair> =>
  start(service.app, { ...START, tag, data: { userId, details: { username: userId } } });

beforeEach(async () => {
  server = await startRedis({ movableClock: true });
  if (!server.clock) throw new Error('the clock must be movable');
  clock = server.clock;
  redis = new Redis(server.url, { disableClientInfo: true });
  store = await openRedisStore({ mode: 'single', url: server.url });
  service = await createTestApp({
    clock: createManualClock(clock.nowMs()),
    store,
    typeStore: store.types,
    keyStore: store.apiKeys,
    counting: redis,
    failuresPerMinute: 5,
  });
  baseline = await readState(redis);
});
afterEach(async () => {
  await service.app.close();
  await store.close();
  redis.disconnect();
  await server.stop();
});

describe('in Redis', () => {
  it('the signing keys alone are there before anything is asked for', () => {
    expect([...baseline.keys()]).toEqual(['session-mint:signing-ring']);
  });

  it('no key of a session is left right after the last of a user is revoked, by whatever call', async () => {
    const one = await ofUser('one');
    const two = await ofUser('two', 'checkout-flow');
    await ofUser('three');
    await ofUser('three', 'support-chat');
    const four = await ofUser('four');
    const { app } = service;
    const next = (await refresh(app, four.refreshToken)).json<Pair>();
    expect((await keysOf('session')).length).toBe(5);
    await call(app, 'DELETE', `/sessions/my-app/prd/user-session/${one.sessionId}`);
    await post(app, '/sessions/revoke', { token: two.token });
    await call(app, 'DELETE', '/users/my-app/prd/three/sessions');
    await post(app, '/sessions/revoke', { refreshToken: next.refreshToken });
    expect(await keysOf('session', 'tag', 'user', 'fence')).toEqual([]);
  });

  it('no key of a session is left one millisecond after its end', async () => {
    const { refreshExpiresAt } = await ofUser('jane');
    await advance(Date.parse(refreshExpiresAt) - 1 - service.clock.wallMs());
    expect(await keysOf('session', 'tag', 'user')).toHaveLength(3);
    await advance(2);
    expect(await keysOf('session', 'tag', 'user')).toEqual([]);
  });

  it('all is as it was, value for value, when everything is revoked, expired, erased and removed', async () => {
    const { app } = service;
    const type = { maxSessionsPerUser: 2, onLimit: 'evict_oldest', retryUntilUsed: true };
    await call(app, 'PUT', '/session-types/my-app/support-chat', { body: type });
    const made = await post(app, '/api-keys', {
      name: 'x',
      permissions: ['issue', 'verify', 'refresh'],
      requestsPerMinute: 60,
    });
    expect(made.statusCode).toBe(201);
    const { key, id } = made.json<{ key: string; id: string }>();
    for (const userId of ['revoked', 'expired', 'erased', 'left']) {
      for (let i = 0; i < 3; i++) await ofUser(userId, 'support-chat');
      const pair = await ofUser(userId);
      await refresh(app, pair.refreshToken, key);
      await verify(app, pair.token);
      await call(app, 'PATCH', `/sessions/my-app/prd/user-session/${pair.sessionId}`, {
        body: { data: { details: { plan: userId } } },
      });
      const body = { ...START, data: { userId } };
      const headers = { 'idempotency-key': `"${userId}"` };
      for (let i = 0; i < 2; i++) await call(app, 'POST', '/sessions', { body, headers, key });
      const other = { ...START, data: { userId: 'nobody' } };
      await call(app, 'POST', '/sessions', { body: other, headers, key });
    }
    await post(app, '/sessions/verify', { token: 'x' }, 'no-key');
    await until('all kinds of keys are there', 5000, async () => {
      const names = await keysNow();
      if (!names.includes('session-mint:api-keys')) return false;
      const kinds = new Set(names.map((name) => /^[\w-]+(:[a-z-]+$)?/.exec(name)?.[0]));
      return kinds.size >= 9;
    });
    await call(app, 'DELETE', '/users/my-app/prd/revoked/sessions');
    await call(app, 'DELETE', '/users/my-app/prd/erased');
    await call(app, 'DELETE', '/session-types/my-app/support-chat');
    expect((await call(app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expect((await keysOf('user', 'session')).length).toBeGreaterThan(0);
    await advance(8 * 24 * HOUR_MS);
    expect(await keysOf('session', 'tag', 'user', 'idempotency')).toEqual([]);
    await advance(CLAIM_MS + RETENTION_MS + PART_MS);
    expect(await keysNow()).toEqual([]);
  });
});
