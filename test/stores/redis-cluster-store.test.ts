// Owns the Redis store's conformance on a real Cluster of three primaries.

import { startRedisCluster } from '../support/redis-cluster.ts';
import { openStoreUnderTest } from '../support/redis-store-under-test.ts';
import { describeStore } from './store-conformance.ts';

describeStore('Redis Cluster', async () => {
  const cluster = await startRedisCluster({ primaries: 3, movableClock: true });
  if (!cluster.clock) throw new Error('the clock must be movable');
  return openStoreUnderTest(
    {
      mode: 'cluster',
      nodes: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      tls: false,
    },
    cluster.primaries.map(({ port }) => port),
    cluster.clock,
    () => cluster.stop(),
  );
});
