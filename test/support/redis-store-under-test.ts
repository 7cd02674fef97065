// Owns opening the Redis store twice on one real Redis (or Cluster) whose clock the test moves.

import { connectOnce, connectRedis, type RedisTarget } from '../../src/stores/redis/connect.ts';
import { createRedisStore, type RedisStore } from '../../src/stores/redis/redis-store.ts';
import { createScriptRunner, type ScriptRunner } from '../../src/stores/redis/run-script.ts';
import type { Backend } from '../stores/backend-conformance.ts';
import type { StoreUnderTest } from '../stores/store-conformance.ts';
import { until, withRedis } from './redis-client.ts';
import type { RedisClock } from './redis-clock.ts';
import type { RedisServer } from './redis-server.ts';
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

/** What a store on `target` runs its scripts with. */
export async function openScriptRunner(target: RedisTarget, replicas = 0): Promise<ScriptRunner> {
  const runner = createScriptRunner({
    client: connectRedis(target, () => undefined),
    openAnother: () => connectRedis(target, () => undefined),
    openOnce: () => connectOnce(target, () => undefined),
    replicas,
    monotonicMs: () => performance.now(),
    observe: () => undefined,
  });
  const isReached = () =>
    runner.reach().then(
      () => true,
      () => false,
    );
  await until('the connections are there', 5_000, isReached);
  return runner;
}

/** Keys on all these servers, by DBSIZE, after Redis has had a chance to drop what has expired. */
const countKeys = async (servers: readonly RedisServer[]): Promise<number> => {
  const counts = await Promise.all(
    servers.map(({ port }) => withRedis(port, (node) => node.dbsize())),
  );
  return counts.reduce((total, count) => total + count, 0);
};

/** `servers`: all that hold keys, whose clock is `clock`. */
export async function openStoreUnderTest(
  target: RedisTarget,
  servers: readonly RedisServer[],
  clock: RedisClock | undefined,
  stop: () => Promise<void>,
): Promise<StoreUnderTest & { readonly backend: Backend }> {
  if (!clock) throw new Error('the clock must be movable');
  await clock.set(clock.nowMs());
  const [store, other] = await Promise.all([openRedisStore(target), openRedisStore(target)]);
  const direct = connectRedis(target, () => undefined);
  return {
    store,
    other,
    advance: (ms) => clock.advance(ms),
    async drift() {
      const { sessions: _all, parts: _parts, ...off } = await store.drift();
      return Object.fromEntries(Object.entries(off).filter(([, count]) => count > 0));
    },
    backend: {
      direct,
      countKeys: () => countKeys(servers),
      freeze: () => {
        for (const server of servers) server.freeze();
      },
      thaw: () => {
        for (const server of servers) server.thaw();
      },
    },
    async close() {
      direct.disconnect();
      await Promise.all([store.close(), other.close()]);
      await stop();
    },
  };
}
