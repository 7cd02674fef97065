// Owns opening the Redis store twice on one real Redis (or Cluster) whose clock the test moves.

import { Redis } from 'ioredis';
import type { RedisTarget } from '../../src/stores/redis/connect.ts';
import { createRedisStore, type RedisStore } from '../../src/stores/redis/redis-store.ts';
import type { StoreUnderTest } from '../stores/store-conformance.ts';
import type { RedisClock } from './redis-clock.ts';
import { RETENTION_MS } from './sessions.ts';

/** A store on `target` that answers: connecting takes a moment. */
export async function openRedisStore(target: RedisTarget, waitReplicas = 0): Promise<RedisStore> {
  const store = createRedisStore({
    target,
    waitReplicas,
    userRetentionMs: RETENTION_MS,
    monotonicMs: () => performance.now(),
    observe: () => undefined,
    onTrouble: () => undefined,
  });
  for (let attempt = 0; attempt < 100; attempt++) {
    const answers = await store.inspect().then(
      () => true,
      () => new Promise((resolve) => setTimeout(resolve, 50, false)),
    );
    if (answers) return store;
  }
  throw new Error('the store does not answer');
}

/** Keys on all these servers, by DBSIZE, after Redis has had a chance to drop what has expired. */
async function countKeys(ports: readonly number[]): Promise<number> {
  let total = 0;
  for (const port of ports) {
    const node = new Redis(port, '127.0.0.1', { disableClientInfo: true });
    total += await node.dbsize();
    node.disconnect();
  }
  return total;
}

export async function openStoreUnderTest(
  target: RedisTarget,
  ports: readonly number[],
  clock: RedisClock,
  stop: () => Promise<void>,
): Promise<StoreUnderTest> {
  await clock.set(clock.nowMs());
  const [store, other] = await Promise.all([openRedisStore(target), openRedisStore(target)]);
  return {
    store,
    other,
    advance: (ms) => clock.advance(ms),
    async drift() {
      const { sessions: _all, parts: _parts, ...off } = await store.drift();
      return Object.fromEntries(Object.entries(off).filter(([, count]) => count > 0));
    },
    countKeys: () => countKeys(ports),
    async close() {
      await Promise.all([store.close(), other.close()]);
      await stop();
    },
  };
}
