// Owns the promise that all stores mean the same: one random history of all operations, over HTTP, on memory, on a real Redis and on a real Redis
// Cluster at once, with writes that are executed twice and replies that are lost, and a model of sessions beside them.
//
// What happens hangs on the seed alone, which the name of the test says: `npx vitest run test/stores/histories.test.ts -t "history 3"`
// repeats one. For more of them raise HISTORIES.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { createHistory, type Step } from '../support/history.ts';
import { openMemoryWorld, openRedisWorld, type World } from '../support/history-world.ts';
import type { RedisClock } from '../support/redis-clock.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';

const HISTORIES = 5;
const STEPS = 150;

const clockOf = ({ clock }: { readonly clock?: RedisClock }): RedisClock => {
  if (!clock) throw new Error('the clock must be movable');
  return clock;
};

describe('memory, Redis and Redis Cluster answer alike, and as the model says', () => {
  let server: RedisServer;
  let cluster: RedisCluster;
  let stores: readonly RedisStore[] = [];
  beforeAll(async () => {
    [server, cluster] = await Promise.all([
      startRedis({ movableClock: true }),
      startRedisCluster({ primaries: 3, movableClock: true }),
    ]);
    const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    stores = await Promise.all([
      openRedisStore({ mode: 'single', url: server.url }),
      openRedisStore({ mode: 'cluster', nodes, tls: false }),
    ]);
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await Promise.all([server?.stop(), cluster?.stop()]);
  });

  async function openWorlds(): Promise<readonly World[]> {
    const [single, clustered] = stores as readonly [RedisStore, RedisStore];
    const ports = cluster.primaries.map(({ port }) => port);
    return Promise.all([
      openMemoryWorld(),
      openRedisWorld('Redis', single, [server.port], clockOf(server)),
      openRedisWorld('Redis Cluster', clustered, ports, clockOf(cluster)),
    ]);
  }

  async function take(step: Step, worlds: readonly World[], seed: number): Promise<void> {
    const { waitMs } = step;
    if (waitMs !== undefined) {
      await Promise.all(worlds.map((world) => world.advance(waitMs)));
      return;
    }
    const answers = await Promise.all(
      worlds.map((world) => world.exchange((held) => step.request(held), step.mishap, seed)),
    );
    const [first, ...others] = answers;
    if (first === undefined) throw new TypeError('there must be a world');
    for (const [i, other] of others.entries()) {
      expect(other, `${worlds[i + 1]?.name} as ${worlds[0]?.name}`).toEqual(first);
    }
    expect(first.status, JSON.stringify(first.body)).toBeLessThan(500);
    step.judge(first);
  }

  it.each(Array.from({ length: HISTORIES }, (_, i) => i + 1))('in history %i', async (seed) => {
    const worlds = await openWorlds();
    const history = createHistory(seed);
    for (let i = 0; i < STEPS; i++) {
      const step = history.next();
      const mishap = step.mishap ? ` (${step.mishap.kind}, write ${step.mishap.at})` : '';
      await take(step, worlds, seed * 1_000_000 + i).catch((error: unknown) => {
        throw new Error(`history ${seed}, step ${i}: ${step.what}${mishap}`, { cause: error });
      });
    }
    for (const world of worlds) expect(await world.drift(), world.name).toEqual({});
    for (const world of worlds) await world.close();
  });
});
