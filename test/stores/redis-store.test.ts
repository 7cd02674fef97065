// Owns the Redis store's conformance on one real server, and what is its own: versions of records, and how it fails.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import { sessionKey, writeKeys } from '../../src/stores/redis/keys.ts';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { until } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore, openStoreUnderTest } from '../support/redis-store-under-test.ts';
import { RETENTION_MS, rewritten, sampleSession, sibling } from '../support/sessions.ts';
import { describeBackend } from './backend-conformance.ts';
import { describeStore } from './store-conformance.ts';

const open = async () => {
  const server = await startRedis({ movableClock: true });
  return openStoreUnderTest({ mode: 'single', url: server.url }, [server], server.clock, () =>
    server.stop(),
  );
};
describeStore('Redis', open);
describeBackend('Redis', open);

describe('the Redis store', () => {
  let server: RedisServer;
  let store: RedisStore;
  let direct: Redis;
  beforeAll(async () => {
    server = await startRedis();
    store = await openRedisStore({ mode: 'single', url: server.url });
    direct = new Redis(server.url, { disableClientInfo: true });
  });
  afterAll(async () => {
    direct.disconnect();
    await store.close();
    await server.stop();
  });
  const session = async () => sampleSession({ createdAtMs: await store.now() });

  it('drops the expired members of its indexes, some with each few writes, until none is left', async () => {
    const short = { createdAtMs: await store.now(), userId: 'trimmed' };
    const lasting = sampleSession(short);
    await store.create(lasting, { perUser: 1000 });
    const many = Array.from({ length: 200 }, () =>
      sibling(lasting, { expiresAtMs: short.createdAtMs + 400 }),
    );
    await Promise.all(many.map((one) => store.create(one, { perUser: 1000 })));
    const [tagIndex = '', userIndex = ''] = writeKeys(lasting);
    const sizes = () => Promise.all([direct.zcard(tagIndex), direct.zcard(userIndex)]);
    expect(await sizes()).toEqual([201, 201]);
    await until(
      'they have expired',
      2000,
      async () => (await store.now()) > short.createdAtMs + 400,
    );
    // One write in eight tidies up, by chance: 300 of them miss three times in a row once in 10^14.
    let current = lasting;
    for (let i = 0; i < 300; i++) {
      const next = rewritten(current, { generation: i + 1 });
      expect(await store.replace(current, next)).toBe('replaced');
      current = next;
    }
    expect(await sizes()).toEqual([1, 1]);
  });

  it('gives every key of a session a time to live', async () => {
    const one = sampleSession({ createdAtMs: await store.now(), userId: 'ttl' });
    await store.create(one, { perUser: 10 });
    const [tagIndex, userIndex, ...ofUsers] = writeKeys(one).slice(0, -1);
    const ends = async (keys: readonly (string | undefined)[]) =>
      new Set(await Promise.all(keys.map((key) => direct.pexpiretime(key ?? ''))));
    expect(await ends([sessionKey(one), tagIndex, userIndex])).toEqual(new Set([one.expiresAtMs]));
    const HOUR_MS = 3_600_000;
    for (const end of await ends(ofUsers)) {
      expect(end).toBeGreaterThanOrEqual(one.expiresAtMs + RETENTION_MS);
      expect(end).toBeLessThanOrEqual(one.expiresAtMs + RETENTION_MS + 2 * HOUR_MS);
    }
  });

  it('says in its errors what failed and never with which arguments', async () => {
    const one = sampleSession({
      createdAtMs: await store.now(),
      details: { canary: 'kanarienvogel' },
    });
    await direct.config('SET', 'maxmemory', '1mb');
    const error = await store.create(one, { perUser: 10 }).catch((caught: unknown) => caught);
    await direct.config('SET', 'maxmemory', '0');
    expect(error).toBeInstanceOf(Outage);
    expect((error as Outage).message).toBe('create: OOM');
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error as object))).not.toContain(
      'kanarienvogel',
    );
  });

  it('is an outage while its server is gone, and recovers within 3 s', async () => {
    const read = () =>
      store.read(lost).then(
        ({ session: found }) => (found ? 'found' : 'absent'),
        (error: unknown) => (error instanceof Outage ? 'outage' : 'defect'),
      );
    const lost = await session();
    await store.create(lost, { perUser: 10 });
    await server.kill();
    expect(await read()).toBe('outage');
    await server.start();
    // Without an append-only file the restarted server is empty: absent is the truth.
    await expect.poll(read, { timeout: 3000 }).toBe('absent');
  });

  it('tells what the server is', async () => {
    await expect
      .poll(() => store.inspect().catch(() => undefined), { timeout: 3000 })
      .toMatchObject({
        evictionPolicy: 'noeviction',
        durability: 'memory',
      });
    expect(store.describe()).toMatchObject({
      store: 'redis',
      mode: 'single',
      durability: 'memory',
    });
  });
});
