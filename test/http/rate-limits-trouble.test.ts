// Owns the proof that counting requests is never in the way: with everything on one full Redis, and in a Cluster whose node hangs.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import {
  connectImpatiently,
  type RedisClient,
  type RedisTarget,
} from '../../src/stores/redis/connect.ts';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { type Answer, call, expectProblem, post, start } from './api.ts';

/** The limiter has 100 ms to count; the rest is for a busy machine. */
const IN_TIME_MS = 250;

interface Key {
  readonly id: string;
  readonly key: string;
}

async function connectCounting(target: RedisTarget): Promise<RedisClient> {
  const counting = connectImpatiently(target, () => undefined);
  const answers = () =>
    counting.incr('test:counts').then(
      () => true,
      () => false,
    );
  await until('Redis counts', 5000, answers);
  return counting;
}

async function makeLimited({ app }: TestApp, requestsPerMinute: number): Promise<Key> {
  const body = { name: 'x', permissions: ['verify', 'revoke'], requestsPerMinute };
  return (await post(app, '/api-keys', body)).json<Key>();
}

const verifyAs = ({ app }: TestApp, key: string, token = 'x'): Promise<Answer> =>
  post(app, '/sessions/verify', { token }, key);

describe('with sessions, keys and counters on one Redis that is full', () => {
  let server: RedisServer;
  let store: RedisStore;
  let counting: RedisClient;
  let service: TestApp;
  beforeAll(async () => {
    server = await startRedis();
    const target = { mode: 'single', url: server.url } as const;
    store = await openRedisStore(target);
    counting = await connectCounting(target);
    service = await createTestApp({
      store,
      keyStore: store.apiKeys,
      counting,
      failuresPerMinute: 2,
    });
  });
  afterAll(async () => {
    await service.app.close();
    counting.disconnect();
    await store.close();
    await server.stop();
  });
  const setMemory = (limit: string) =>
    withRedis(server.port, (redis) => redis.config('SET', 'maxmemory', limit));

  it('keys past their limit verify and revoke, wrong ones are 401, and keys can be rotated and revoked', async () => {
    const { id, key } = await makeLimited(service, 1);
    const pair = await start(service.app);
    expect((await verifyAs(service, key, pair.token)).json()).toMatchObject({ valid: true });
    expectProblem(await verifyAs(service, key), 'rate_limited');
    await setMemory('1');
    expect((await verifyAs(service, key, pair.token)).json()).toMatchObject({ valid: true });
    const { token } = pair;
    expect((await post(service.app, '/sessions/revoke', { token }, key)).statusCode).toBe(204);
    expect((await verifyAs(service, key, pair.token)).json()).toEqual({
      valid: false,
      reason: 'ended',
    });
    for (let i = 0; i < 4; i++) expectProblem(await verifyAs(service, 'wrong'), 'unauthenticated');
    const rotated = await post(service.app, `/api-keys/${id}/rotate`, { overlapSeconds: 0 });
    expect(rotated.statusCode).toBe(200);
    expectProblem(await verifyAs(service, key), 'unauthenticated');
    const next = rotated.json<Key>().key;
    expect((await verifyAs(service, next)).statusCode).toBe(200);
    expect((await call(service.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expectProblem(await verifyAs(service, next), 'unauthenticated');
    await setMemory('0');
    const other = await makeLimited(service, 1);
    expect((await verifyAs(service, other.key)).statusCode).toBe(200);
    expectProblem(await verifyAs(service, other.key), 'rate_limited');
  });
});

describe('with counters in a Redis Cluster', () => {
  let cluster: RedisCluster;
  let counting: RedisClient;
  let service: TestApp;
  beforeAll(async () => {
    cluster = await startRedisCluster({ primaries: 3 });
    const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    counting = await connectCounting({ mode: 'cluster', nodes, tls: false });
    service = await createTestApp({
      keyStore: createMemoryDocuments(100),
      counting,
      failuresPerMinute: 2,
    });
  });
  afterAll(async () => {
    await service.app.close();
    counting.disconnect();
    await cluster.stop();
  });

  it('a key is limited on whichever node its counter is', async () => {
    for (let i = 0; i < 8; i++) {
      const { key } = await makeLimited(service, 1);
      expect((await verifyAs(service, key)).statusCode).toBe(200);
      expectProblem(await verifyAs(service, key), 'rate_limited');
    }
  });

  it('a node that hangs delays no request, good or wrong, by more than a moment', async () => {
    // Enough that the counters of some are on the node that hangs.
    const keys = await Promise.all(Array.from({ length: 8 }, () => makeLimited(service, 1000)));
    cluster.primaries[0]?.freeze();
    const waits: number[] = [];
    const timed = async (key: string): Promise<Answer> => {
      const startedMs = performance.now();
      const answer = await verifyAs(service, key);
      waits.push(performance.now() - startedMs);
      return answer;
    };
    try {
      for (let round = 0; round < 8; round++) {
        for (const { key } of keys) expect((await timed(key)).statusCode).toBe(200);
      }
      expect([401, 429]).toContain((await timed('wrong')).statusCode);
    } finally {
      cluster.primaries[0]?.thaw();
    }
    expect(Math.max(...waits)).toBeLessThan(IN_TIME_MS);
    // The counters of some were on it.
    expect(Math.max(...waits)).toBeGreaterThan(50);
  });
});
