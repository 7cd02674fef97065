// Owns the promises about a Redis Cluster: all of a session's life on it, a primary that dies, a slot that moves under load.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sessionKey } from '../../src/stores/redis/keys.ts';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  type Answer,
  expectEnded,
  expectUnavailable,
  expectValid,
  listTag,
  listUser,
  newSession,
  type Pair,
  PLACE,
  pairOf,
  RECOVERED_MS,
  read,
  refresh,
  remove,
  removeUser,
  revokeByRefreshToken,
  start,
  untilGood,
  verify,
} from './service-client.ts';

/** Silence that counts as death (1 s), the vote, and the promotion. */
const FAILOVER_MS = 15_000;
const SLOTS = 16_384;

let cluster: RedisCluster;
let service: ServiceProcess;

beforeAll(async () => {
  cluster = await startRedisCluster({ primaries: 3, replicasPerPrimary: 1 });
  // Else all slots stop when one has nobody: an operator's choice, and the wrong one for sessions.
  for (const { port } of cluster.nodes) {
    await withRedis(port, (node) => node.config('SET', 'cluster-require-full-coverage', 'no'));
  }
  service = await startService({ REDIS_CLUSTER_NODES: cluster.nodesEnv });
});
afterAll(async () => {
  await service?.stop();
  await cluster?.stop();
});

const slotOf = ({ sessionId }: Pair): Promise<number> =>
  withRedis(cluster.nodes.at(-1)?.port ?? 0, async (node) =>
    Number(await node.call('CLUSTER', 'KEYSLOT', sessionKey({ ...PLACE, sessionId }))),
  );

/** Index of the primary that the slot was given at the start. */
const primaryOf = (slot: number): number =>
  [1, 2, 3].findIndex((i) => slot < Math.ceil((i * SLOTS) / 3));

it('the whole life of sessions works on a cluster', async () => {
  const users = Array.from({ length: 30 }, (_, i) => `user_${i}`);
  const pairs = await Promise.all(users.map((user) => newSession(service, user)));
  const homes = new Set((await Promise.all(pairs.map(slotOf))).map(primaryOf));
  expect([...homes].sort()).toEqual([0, 1, 2]);
  const next = await Promise.all(
    pairs.map(async (pair) => {
      const rotated = await refresh(service, pair);
      expect(rotated.outcome).toBe('rotated');
      expect((await refresh(service, pair)).outcome).toBe('replayed');
      return pairOf(rotated);
    }),
  );
  await Promise.all(next.map((pair) => expectValid(service, pair)));
  expect((await listTag(service)).body['sessions']).toHaveLength(20);
  expect((await listUser(service, 'user_7')).body['sessions']).toHaveLength(1);
  const endings = [revokeByRefreshToken, remove];
  await Promise.all(
    next.map(async (pair, i) => {
      const ended = await (endings[i % 3]?.(service, pair) ?? removeUser(service, `user_${i}`));
      expect(ended.status).toBeLessThan(300);
      await expectEnded(service, pair);
      expect((await read(service, pair)).status).toBe(404);
    }),
  );
});

const nodeId = (node: Redis): Promise<string> => node.call('CLUSTER', 'MYID') as Promise<string>;

/** Moves a slot as redis-cli --cluster reshard does, with pauses in which it is half here and half there. */
async function moveSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  await withRedis(from.port, (source) =>
    withRedis(to.port, async (target) => {
      const [sourceId, targetId] = [await nodeId(source), await nodeId(target)];
      await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
      await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
      for (;;) {
        const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[];
        if (keys[0] === undefined) break;
        await source.call('MIGRATE', '127.0.0.1', to.port, keys[0], 0, 1000);
        await sleep(50);
      }
      await target.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
      await source.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    }),
  );
}

it('a slot that moves under refreshes logs nobody out', async () => {
  const chains = await Promise.all(Array.from({ length: 6 }, () => newSession(service, 'mover')));
  const slot = await slotOf(chains[0] as Pair);
  const home = primaryOf(slot);
  let moving = true;
  const statuses = new Map<number, number>();
  const insist = async (call: () => Promise<Answer>): Promise<Answer> => {
    for (;;) {
      const answer = await call();
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (answer.status !== 503) return answer;
      expectUnavailable(answer);
    }
  };
  const lives = Promise.all(
    chains.map(async (chain) => {
      let pair = chain;
      while (moving) {
        pair = pairOf(await insist(() => refresh(service, pair)));
        expect((await insist(() => verify(service, pair))).body['valid']).toBe(true);
        const other = pairOf(await insist(() => start(service, 'mover')));
        expect((await insist(() => remove(service, other))).status).toBe(204);
        await expectEndedSoon(other);
        await sleep(10);
      }
      return pair;
    }),
  );
  const expectEndedSoon = async (pair: Pair): Promise<void> => {
    expect((await insist(() => verify(service, pair))).body['reason']).toBe('ended');
  };
  await sleep(200);
  const [from, to] = [cluster.primaries[home], cluster.primaries[(home + 1) % 3]];
  if (from === undefined || to === undefined) throw new Error('no such primary');
  await moveSlot(slot, from, to);
  await sleep(200);
  await moveSlot(slot, to, from);
  await sleep(200);
  moving = false;
  for (const pair of await lives) await expectValid(service, pair);
  expect((await listUser(service, 'mover')).body['sessions']).toHaveLength(chains.length);
});

it('with REDIS_WAIT_REPLICAS=1 a slot whose replica hangs takes no write, and the others do', async () => {
  const durable = await startService({
    REDIS_CLUSTER_NODES: cluster.nodesEnv,
    REDIS_WAIT_REPLICAS: '1',
  });
  try {
    const pairs = await Promise.all(
      Array.from({ length: 12 }, (_, i) => newSession(durable, `durable_${i}`)),
    );
    const homes = (await Promise.all(pairs.map(slotOf))).map(primaryOf);
    cluster.replicas[0]?.freeze();
    const refreshes = await Promise.all(pairs.map((pair) => refresh(durable, pair)));
    const revokes = await Promise.all(pairs.map((pair) => revokeByRefreshToken(durable, pair)));
    cluster.replicas[0]?.thaw();
    for (const [i, home] of homes.entries()) {
      if (home === 0) for (const of of [refreshes, revokes]) expectUnavailable(of[i] as Answer);
      else expect([refreshes[i]?.status, revokes[i]?.status]).toEqual([200, 204]);
    }
    expect(new Set(homes).size).toBe(3);
    for (const pair of pairs) {
      await untilGood(() => revokeByRefreshToken(durable, pair), RECOVERED_MS);
      await expectEnded(durable, pair);
    }
  } finally {
    await durable.stop();
  }
});

it('when a primary dies the other slots go on, and its own are an honest 503 until the failover', async () => {
  const pairs = await Promise.all(
    Array.from({ length: 12 }, (_, i) => newSession(service, `survivor_${i}`)),
  );
  const homes = (await Promise.all(pairs.map(slotOf))).map(primaryOf);
  const at = (test: (home: number) => boolean): readonly Pair[] =>
    pairs.filter((_, i) => test(homes[i] ?? -1));
  const [lost, others] = [at((home) => home === 1), at((home) => home !== 1)];
  expect(Math.min(lost.length, others.length)).toBeGreaterThan(0);
  await withRedis(cluster.primaries[1]?.port ?? 0, (node) => node.wait(1, 1000));

  await cluster.primaries[1]?.kill();
  let failures = 0;
  await until('the replica is promoted', FAILOVER_MS, async () => {
    for (const pair of others) await expectValid(service, pair);
    const answer = await verify(service, lost[0] as Pair);
    if (answer.status === 503) failures++;
    else expect(answer.body['valid']).toBe(true);
    return withRedis(cluster.replicas[1]?.port ?? 0, async (node) =>
      (await node.info('replication')).includes('role:master'),
    );
  });
  expect(failures).toBeGreaterThan(0);
  await untilGood(() => verify(service, lost[0] as Pair), RECOVERED_MS);
  for (const pair of pairs) {
    await expectValid(service, pair);
    expect((await refresh(service, pair)).outcome).toBe('rotated');
  }
});
