// Owns the proof that the self-check sees how many replicas every primary has.

import { afterEach, expect, it } from 'vitest';
import { connectRedis, type RedisTarget } from '../../src/stores/redis/connect.ts';
import { inspectRedis } from '../../src/stores/redis/inspect.ts';
import { until } from '../support/redis-client.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';
import { startService } from '../support/service-process.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function startServer(...extraArgs: string[]) {
  const quick = ['--repl-diskless-sync-delay', '0'];
  const server = await startRedis({ extraArgs: [...quick, ...extraArgs] });
  stops.push(server.stop);
  return server;
}

/** Waits until the self-check sees so many. */
async function seesReplicas(target: RedisTarget, replicas: number): Promise<void> {
  const client = connectRedis(target, () => undefined);
  stops.push(() => client.disconnect());
  await until(`${replicas} replicas are seen`, 15_000, () =>
    inspectRedis(client).then(
      (facts) => facts.replicas === replicas,
      () => false,
    ),
  );
}

it('one that waits for more replicas than there are says so at its start, and is quiet with enough', async () => {
  const primary = await startServer();
  const warning = 'REDIS_WAIT_REPLICAS asks for more replicas than a primary has (1)';
  const target = { mode: 'single', url: primary.url } as const;
  await seesReplicas(target, 0);
  const add = () => startServer('--replicaof', '127.0.0.1', String(primary.port));
  const env = { REDIS_URL: primary.url, REDIS_WAIT_REPLICAS: '2' };
  await add();
  await seesReplicas(target, 1);
  // Its first write, of the signing keys, waits for the second.
  const starting = startService(env);
  const second = await add();
  await seesReplicas(target, 2);
  const service = await starting;
  stops.push(service.stop);
  const other = await startService(env);
  stops.push(other.stop);
  expect(other.output()).not.toContain('REDIS_WAIT_REPLICAS');
  await second.kill();
  await seesReplicas(target, 1);
  const late = await startService(env);
  stops.push(late.stop);
  expect(late.output()).toContain(warning);
});

it('of a Cluster the primary with the fewest counts', async () => {
  const cluster = await startRedisCluster({ primaries: 3, replicasPerPrimary: 1 });
  stops.push(cluster.stop);
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const target = { mode: 'cluster', nodes, tls: false } as const;
  await seesReplicas(target, 1);
  await cluster.nodes.at(-1)?.kill();
  await seesReplicas(target, 0);
});
