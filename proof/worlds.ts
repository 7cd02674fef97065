// Owns the worlds in which proofs run: a real Redis in one of its forms, a network that can fail, two service processes.

import { withRedis } from '../test/support/redis-client.ts';
import { startRedisCluster } from '../test/support/redis-cluster.ts';
import { startRedisSentinel } from '../test/support/redis-sentinel.ts';
import { type RedisOptions, type RedisServer, startRedis } from '../test/support/redis-server.ts';
import { type ServiceProcess, startService } from '../test/support/service-process.ts';
import { startTcpProxy, type TcpProxy } from '../test/support/tcp-proxy.ts';

export const isPrimary = ({ port }: RedisServer): Promise<boolean> =>
  withRedis(port, async (redis) => (await redis.info('replication')).includes('role:master'));

export type Env = Readonly<Record<string, string>>;

export interface Store {
  /** All servers that hold data: primaries first, then replicas in the same order. */
  readonly servers: readonly RedisServer[];
  /** How each of the two service processes reaches it. */
  readonly env: readonly [Env, Env];
  /** The network between each service process and a single Redis. */
  readonly networks: readonly TcpProxy[];
  /** Decides about each piece of data that a service process sends to a single Redis. */
  onRequest: (bytes: Buffer) => 'forward' | 'swallow-reply-then-reset';
  /** Whether the first replica has taken over for the first primary, and everybody who is asked says so. */
  failedOver(): Promise<boolean>;
  stop(): Promise<void>;
}

export interface World extends Store {
  readonly services: [ServiceProcess, ServiceProcess];
  /** What each service process has written so far, those that have ended among them. */
  output(): readonly string[];
  /** Starts a service process that has ended. */
  restart(instance: 0 | 1): Promise<void>;
}

export async function singleRedis(options: RedisOptions = {}): Promise<Store> {
  const redis = await startRedis({ appendonly: true, appendfsync: 'everysec', ...options });
  const networks = await Promise.all(
    [0, 1].map(() => startTcpProxy(redis.port, { onRequest: (bytes) => store.onRequest(bytes) })),
  );
  const [first, second] = networks.map(({ port }) => ({ REDIS_URL: `redis://127.0.0.1:${port}` }));
  const store: Store = {
    servers: [redis],
    env: [first as Env, second as Env],
    networks,
    onRequest: () => 'forward',
    failedOver: async () => false,
    async stop() {
      await Promise.all(networks.map((network) => network.stop()));
      await redis.stop();
    },
  };
  return store;
}

export async function sentinelRedis(): Promise<Store> {
  const setup = await startRedisSentinel();
  const env = { REDIS_SENTINELS: setup.sentinelsEnv, REDIS_SENTINEL_NAME: setup.name };
  return {
    servers: [setup.primary, setup.replica],
    env: [env, env],
    networks: [],
    onRequest: () => 'forward',
    async failedOver() {
      const named = await Promise.all(
        setup.sentinels.map(({ port }) =>
          withRedis(port, (sentinel) =>
            sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', setup.name),
          ),
        ),
      );
      return (
        named.every((address) => String(address).endsWith(`,${setup.replica.port}`)) &&
        (await isPrimary(setup.replica))
      );
    },
    stop: setup.stop,
  };
}

export async function clusterRedis(): Promise<Store> {
  const cluster = await startRedisCluster({ primaries: 3, replicasPerPrimary: 1 });
  const env = { REDIS_CLUSTER_NODES: cluster.nodesEnv };
  return {
    servers: [...cluster.primaries, ...cluster.replicas],
    env: [env, env],
    networks: [],
    onRequest: () => 'forward',
    failedOver: () => isPrimary(cluster.replicas[0] as RedisServer),
    stop: cluster.stop,
  };
}

/** Two service processes on a store; `env` of both, then of each. */
export async function startWorld(
  store: Store,
  env: Env,
  own: readonly [Env, Env] = [{}, {}],
): Promise<World> {
  const launch = (instance: 0 | 1): Promise<ServiceProcess> =>
    startService({ LOG_LEVEL: 'trace', ...store.env[instance], ...env, ...own[instance] });
  const services: [ServiceProcess, ServiceProcess] = await Promise.all([launch(0), launch(1)]);
  const written: string[] = [];
  return Object.assign(store, {
    services,
    output: () => [...written, ...services.map((service) => service.output())],
    async restart(instance: 0 | 1) {
      const ended = services[instance];
      services[instance] = await launch(instance);
      written.push(ended.output());
    },
  });
}
