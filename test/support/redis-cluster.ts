/** Owns a real Redis Cluster on loopback for one test: its nodes, and forming them into a cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { createRedisClock, type RedisClock, type RedisClockFile } from './redis-clock.ts';
import { baseArgs, type RedisServer, startServer } from './redis-server.ts';

const SLOTS = 16_384;
const FORM_DEADLINE_MS = 30_000;
const ASK_EVERY_MS = 25;

/** In ms (a hundred years): with a clock that jumps by days, no silence may ever count as a failure. */
const NEVER_MS = 100 * 365 * 24 * 3_600_000;

export type RedisClusterOptions = {
  /** Default 3. */
  readonly primaries?: number;
  /** Default 0. */
  readonly replicasPerPrimary?: 0 | 1;
  /**
   * One clock for all nodes, which stands still once the cluster is formed. The nodes then never declare each other
   * failed (no failover by itself; CLUSTER FAILOVER works), and a primary that is started again serves only after the
   * clock has moved by some seconds.
   */
  readonly movableClock?: boolean;
  /** Silence after which a node counts as failed, in ms. Default 1000; without effect with a movable clock. */
  readonly nodeTimeoutMs?: number;
};

export type RedisCluster = {
  /** All nodes: first the primaries, then the replicas in the same order. */
  readonly nodes: readonly RedisServer[];
  /** As they were at the start; a failover does not change this list. */
  readonly primaries: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  /** `host:port,host:port`, every node. */
  readonly nodesEnv: string;
  readonly clock?: RedisClock;
  /** Kills all nodes and removes their folders. */
  stop(): Promise<void>;
};

/**
 * Starts the nodes, gives each primary an equal run of slots, and waits until every node reports `cluster_state:ok` and
 * every replica is in step (2 to 3 s, most of it Redis's own delay before a new node takes writes).
 *
 * @throws Error when a node does not start, or the cluster is not whole within 30 s.
 */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const primaryCount = options.primaries ?? 3;
  const replicaCount = primaryCount * (options.replicasPerPrimary ?? 0);
  const clock = options.movableClock === true ? await createRedisClock() : undefined;
  const nodeTimeoutMs = clock === undefined ? (options.nodeTimeoutMs ?? 1000) : NEVER_MS;

  const started = await Promise.allSettled(
    Array.from({ length: primaryCount + replicaCount }, () => startNode(nodeTimeoutMs, clock)),
  );
  const nodes = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
    await clock?.remove();
  };
  try {
    for (const result of started) if (result.status === 'rejected') throw result.reason;
    await form(nodes, primaryCount, nodeTimeoutMs);
    await clock?.set(Date.now());
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    nodes,
    primaries: nodes.slice(0, primaryCount),
    replicas: nodes.slice(primaryCount),
    nodesEnv: nodes.map((node) => `127.0.0.1:${node.port}`).join(','),
    stop,
    ...(clock === undefined ? {} : { clock }),
  };
}

async function startNode(
  nodeTimeoutMs: number,
  clock: RedisClockFile | undefined,
): Promise<RedisServer> {
  return startServer({
    clock,
    args: async (port, dir) => [
      ...baseArgs(port, dir),
      ...['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())],
      ...['--cluster-node-timeout', String(nodeTimeoutMs)],
      // A cluster of one node has nobody to learn its own address from.
      ...['--cluster-announce-ip', '127.0.0.1'],
      // A replica's first copy starts at once instead of after 5 s.
      ...['--repl-diskless-sync-delay', '0'],
      ...(clock === undefined ? [] : patientReplication()),
    ],
  });
}

/** When the clock jumps by days, primary and replica must not take each other for gone. */
function patientReplication(): string[] {
  return ['--repl-timeout', '2000000000', '--repl-backlog-ttl', '0'];
}

async function form(nodes: readonly RedisServer[], primaryCount: number, nodeTimeoutMs: number): Promise<void> {
  const clients = nodes.map(
    (node) => new Redis({ host: '127.0.0.1', port: node.port, maxRetriesPerRequest: 1 }),
  );
  for (const client of clients) client.on('error', () => undefined);
  try {
    const deadline = performance.now() + FORM_DEADLINE_MS;
    // The nodes ping each other at half this pace, so that with the hundred years of a movable clock news would be slow.
    await setNodeTimeout(clients, 1000);
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
