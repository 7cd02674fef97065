/** Owns a real Redis Cluster on loopback for one test: its nodes, their settings and their end. */
import { formCluster } from './cluster-formation.ts';
import { freePort } from './free-port.ts';
import { createRedisClock, type RedisClock, type RedisClockFile } from './redis-clock.ts';
import { baseArgs, type RedisServer, startServer } from './redis-server.ts';

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
    await formCluster(nodes, primaryCount, nodeTimeoutMs);
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
