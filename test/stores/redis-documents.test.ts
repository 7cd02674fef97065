// Owns the conformance of session types and API keys on one real Redis and on a real Redis Cluster, and that they can be changed on a full server.

import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { MAX_API_KEYS, MAX_TYPES } from '../../src/stores/limits.ts';
import type { RedisTarget } from '../../src/stores/redis/connect.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';
import { type DocumentsUnderTest, describeDocuments } from './documents-conformance.ts';

const KINDS = [
  ['session types', 'types', MAX_TYPES],
  ['API keys', 'apiKeys', MAX_API_KEYS],
] as const;

async function openBoth(
  target: RedisTarget,
  [, member, most]: (typeof KINDS)[number],
  stop: () => Promise<void>,
): Promise<DocumentsUnderTest> {
  const [one, two] = await Promise.all([openRedisStore(target), openRedisStore(target)]);
  return {
    documents: one[member],
    other: two[member],
    most,
    async close() {
      await Promise.all([one.close(), two.close()]);
      await stop();
    },
  };
}

for (const kind of KINDS) {
  describeDocuments(`${kind[0]} in Redis`, async () => {
    const server = await startRedis();
    return openBoth({ mode: 'single', url: server.url }, kind, () => server.stop());
  });

  describeDocuments(`${kind[0]} in Redis Cluster`, async () => {
    const cluster = await startRedisCluster({ primaries: 3 });
    const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    return openBoth({ mode: 'cluster', nodes, tls: false }, kind, () => cluster.stop());
  });
}

it('a session type can be changed and removed while Redis is full', async () => {
  const server = await startRedis();
  const store = await openRedisStore({ mode: 'single', url: server.url });
  const direct = new Redis(server.url, { disableClientInfo: true });
  await store.types.replaceDocument('p', 'a', undefined, 'one');
  await direct.config('SET', 'maxmemory', '1mb');
  expect(await store.types.replaceDocument('p', 'a', 'one', 'two')).toBe('replaced');
  expect(await store.types.removeDocument('p', 'a', 'two')).toBe(true);
  direct.disconnect();
  await store.close();
  await server.stop();
});
