/** Owns a real Redis Sentinel setup for one test: one primary, one replica, three sentinels. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findRedis } from './redis-binary.ts';
import { type RedisServer, startRedis, startServer } from './redis-server.ts';

const NAME = 'session-mint';
const SENTINELS = 3;
const READY_DEADLINE_MS = 30_000;
const ASK_EVERY_MS = 50;

export type RedisSentinelSetup = {
  /** `host:port,host:port,host:port` of the sentinels. */
  readonly sentinelsEnv: string;
  /** The name under which the sentinels know the primary. */
  readonly name: string;
  /** The primary and replica as they were at the start. */
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];
  /** Kills all five and removes their folders. */
  stop(): Promise<void>;
};

/**
 * Starts the five servers (quorum 2, a server silent for 1000 ms is down) and waits until each sentinel knows the
 * replica and the two others, so that a failover can follow at once.
 *
 * @throws Error when a server does not start, or the sentinels do not find each other within 30 s.
 */
export async function startRedisSentinel(): Promise<RedisSentinelSetup> {
  const started: RedisServer[] = [];
  const keep = async (starting: Promise<RedisServer>): Promise<RedisServer> => {
    const server = await starting;
    started.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    // The sentinels first: a sentinel that sees the others die starts a failover.
    for (const server of [...started].reverse()) await server.stop();
  };
  try {
    const primary = await keep(startRedis({ extraArgs: ['--repl-diskless-sync-delay', '0'] }));
    const replicaOf = ['--replicaof', '127.0.0.1', String(primary.port)];
    const replica = await keep(
      startRedis({ extraArgs: ['--repl-diskless-sync-delay', '0', ...replicaOf] }),
    );
    await until('the replica is in step', () => replicaInStep(replica));
    const sentinels: RedisServer[] = [];
    for (let i = 0; i < SENTINELS; i += 1) sentinels.push(await keep(startSentinel(primary.port)));
    await until('the sentinels know each other', async () =>
      (await Promise.all(sentinels.map(isComplete))).every(Boolean),
    );
    const sentinelsEnv = sentinels.map((sentinel) => `127.0.0.1:${sentinel.port}`).join(',');
    return { sentinelsEnv, name: NAME, primary, replica, sentinels, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startSentinel(primaryPort: number): Promise<RedisServer> {
  const { sentinelArgs } = await findRedis();
  return startServer({
    args: async (port, dir) => {
      // A file of its own: the sentinel rewrites it, and reads it again after a restart.
      const file = path.join(dir, 'sentinel.conf');
      const lines = [
        `port ${port}`,
        'bind 127.0.0.1',
        `dir ${dir}`,
        `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} 2`,
        `sentinel down-after-milliseconds ${NAME} 1000`,
        `sentinel failover-timeout ${NAME} 5000`,
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      return [file, ...sentinelArgs];
    },
  });
}

async function replicaInStep(replica: RedisServer): Promise<boolean> {
  return ask(replica.port, async (client) =>
    (await client.info('replication')).includes('master_link_status:up'),
  );
}

async function isComplete(sentinel: RedisServer): Promise<boolean> {
  return ask(sentinel.port, async (client) => {
    const flat = (await client.call('SENTINEL', 'CKQUORUM', NAME)) as string;
    const others = (await client.call('SENTINEL', 'SENTINELS', NAME)) as unknown[];
    const replicas = (await client.call('SENTINEL', 'REPLICAS', NAME)) as unknown[];
    return flat.startsWith('OK') && others.length === SENTINELS - 1 && replicas.length === 1;
  });
}

/** False also when the server answers with an error, as a sentinel does before it has a quorum. */
async function ask(port: number, question: (client: Redis) => Promise<boolean>): Promise<boolean> {
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 1 });
  client.on('error', () => undefined);
  try {
    return await question(client);
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_DEADLINE_MS;
  while (!(await test())) {
    if (performance.now() > deadline)
      throw new Error(`sentinel setup not ready: waited in vain until ${what}`);
    await sleep(ASK_EVERY_MS);
  }
}
