// Owns the Redis store's conformance on a real Cluster of three primaries.

import { startRedisCluster } from '../support/redis-cluster.ts';
import { openStoreUnderTest } from '../support/redis-store-under-test.ts';
import { describeBackend } from './backend-conformance.ts';
import { describeStore } from './store-conformance.ts';

const open = async () => {
  const cluster = await startRedisCluster({ primaries: 3, movableClock: true });
  return openStoreUnderTest(
    {
      mode: 'cluster',
      nodes: cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      tls: false,
    },
    cluster.primaries,
    cluster.clock,
    () => cluster.stop(),
  );
};
describeStore('Redis Cluster', open);
describeBackend('Redis Cluster', open);
