/** Owns making one cluster out of started nodes: slots, introductions, replicas, agreement. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { RedisServer } from './redis-server.ts';

const SLOTS = 16_384;
const FORM_DEADLINE_MS = 30_000;
const ASK_EVERY_MS = 25;

/** The pace of forming, whatever node timeout the cluster has later, in ms. */
const FORMING_NODE_TIMEOUT_MS = 1000;

/**
 * Forms a cluster: the first `primaryCount` nodes share the slots, the others become their replicas in turn. Afterwards
 * the nodes have the given node timeout, in ms. The nodes' clock must run meanwhile.
 *
 * @throws Error when the cluster is not whole within 30 s.
 */
export async function formCluster(
  nodes: readonly RedisServer[],
  primaryCount: number,
  nodeTimeoutMs: number,
): Promise<void> {
  const clients = nodes.map(
    (node) => new Redis({ host: '127.0.0.1', port: node.port, maxRetriesPerRequest: 1 }),
  );
  for (const client of clients) client.on('error', () => undefined);
  try {
    const deadline = performance.now() + FORM_DEADLINE_MS;
    // Nodes ping each other at least twice in this time: with a long one news would spread slowly.
    await setNodeTimeout(clients, FORMING_NODE_TIMEOUT_MS);
    await handOutSlots(clients.slice(0, primaryCount));
    await introduce(clients);
    await until(deadline, 'every node knows every other', () =>
      all(clients, (client) => knows(client, nodes.length)),
    );
    await attachReplicas(clients, primaryCount);
    await until(deadline, 'every node reports cluster_state:ok', () =>
      all(clients, (client) => isWhole(client, primaryCount, nodes.length - primaryCount)),
    );
    await setNodeTimeout(clients, nodeTimeoutMs);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function setNodeTimeout(clients: readonly Redis[], ms: number): Promise<void> {
  await Promise.all(clients.map((client) => client.config('SET', 'cluster-node-timeout', ms)));
}

async function handOutSlots(primaries: readonly Redis[]): Promise<void> {
  const share = SLOTS / primaries.length;
  await Promise.all(
    primaries.map(async (client, i) => {
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      await client.call(
        'CLUSTER',
        'ADDSLOTSRANGE',
        Math.ceil(i * share),
        Math.ceil((i + 1) * share) - 1,
      );
    }),
  );
}

/** Each node meets all earlier ones: quicker than waiting for gossip. */
async function introduce(clients: readonly Redis[]): Promise<void> {
  const addresses = await Promise.all(
    clients.map(async (client) => [client.options.port, await busPort(client)]),
  );
  for (const [i, client] of clients.entries()) {
    for (const [port, bus] of addresses.slice(0, i)) {
      await client.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(bus));
    }
  }
}

async function busPort(client: Redis): Promise<string> {
  const [, value] = (await client.call('CONFIG', 'GET', 'cluster-port')) as [string, string];
  return value;
}

async function attachReplicas(clients: readonly Redis[], primaryCount: number): Promise<void> {
  await Promise.all(
    clients.slice(primaryCount).map(async (replica, i) => {
      const id = await clients[i % primaryCount]?.call('CLUSTER', 'MYID');
      await replica.call('CLUSTER', 'REPLICATE', String(id));
    }),
  );
}

async function knows(client: Redis, nodeCount: number): Promise<boolean> {
  const lines = await nodeLines(client);
  return lines.length === nodeCount && !lines.some((line) => line.includes('handshake'));
}

/** The node sees all slots served and the right number of each role, and if it is a replica its copy is complete. */
async function isWhole(
  client: Redis,
  primaryCount: number,
  replicaCount: number,
): Promise<boolean> {
  const lines = await nodeLines(client);
  const count = (flag: string): number =>
    lines.filter((line) => line.split(' ')[2]?.split(',').includes(flag)).length;
  if (
    count('master') !== primaryCount ||
    count('slave') !== replicaCount ||
    count('fail') + count('fail?') > 0
  )
    return false;
  if (!lines.every((line) => line.includes(' connected'))) return false;
  if (!String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false;
  const replication = await client.info('replication');
  return replication.includes('role:master') || replication.includes('master_link_status:up');
}

async function nodeLines(client: Redis): Promise<string[]> {
  return String(await client.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n');
}

async function all(
  clients: readonly Redis[],
  test: (client: Redis) => Promise<boolean>,
): Promise<boolean> {
  return (await Promise.all(clients.map(test))).every(Boolean);
}

async function until(deadline: number, what: string, test: () => Promise<boolean>): Promise<void> {
  while (!(await test())) {
    if (performance.now() > deadline)
      throw new Error(`cluster not formed: waited in vain until ${what}`);
    await sleep(ASK_EVERY_MS);
  }
}
