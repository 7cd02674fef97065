// Owns what the servers of a store were told and wrote down while people lived: MONITOR, SLOWLOG, files.

import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { withRedis } from '../test/support/redis-client.ts';
import type { RedisServer } from '../test/support/redis-server.ts';

const RECONNECT_MS = 50;
const SLOWLOG_LENGTH = 1000;

export const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** All commands that a server runs, those inside scripts among them; whatever kills the connection, it is made anew. */
function monitor(port: number): { stop(): string } {
  const heard: string[] = [];
  let stopped = false;
  let socket: Socket;
  const listen = () => {
    if (stopped) return;
    socket = connect(port, '127.0.0.1', () => socket.write('MONITOR\r\n'));
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => heard.push(String(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => setTimeout(listen, RECONNECT_MS));
  };
  listen();
  return {
    stop() {
      stopped = true;
      socket.destroy();
      return heard.join('');
    },
  };
}

/** What the servers of a store know of what was said to them. */
export interface StoreEvidence {
  readonly monitor: string;
  readonly slowlog: string;
  readonly files: string;
  /** Whether a server keeps an append-only file. */
  readonly persists: boolean;
}

export interface Witness {
  collect(): Promise<StoreEvidence>;
  /** Listens no longer. */
  dismiss(): void;
}

/** Empty if it is gone by now: Redis renames its files. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/** Listens from now on. */
export async function callWitness(servers: readonly RedisServer[]): Promise<Witness> {
  for (const { port } of servers) {
    await withRedis(port, async (redis) => {
      await redis.config('SET', 'slowlog-log-slower-than', 0);
      await redis.config('SET', 'slowlog-max-len', SLOWLOG_LENGTH);
    });
  }
  const monitors = servers.map(({ port }) => monitor(port));
  return {
    async collect() {
      const slowlogs = await Promise.all(
        servers.map(({ port }) =>
          // A server that is gone says nothing; its files are still there.
          withRedis(port, async (redis) => JSON.stringify(await redis.slowlog('GET', -1))).catch(
            () => '',
          ),
        ),
      );
      const files = servers.flatMap(({ dir }) => filesBelow(dir));
      return {
        monitor: monitors.map((each) => each.stop()).join('\n'),
        slowlog: slowlogs.join('\n'),
        files: files.map(textOf).join('\n'),
        persists: files.some((file) => file.includes('appendonlydir')),
      };
    },
    dismiss: () => {
      for (const each of monitors) each.stop();
    },
  };
}

/** Seeds of all sessions on a server: 32 bytes behind the marker of msgpack for that many. */
export async function seedsIn(redis: Redis): Promise<readonly Buffer[]> {
  const keys = await redis.keys('session:*');
  const records = await Promise.all(keys.map((key) => redis.getBuffer(key)));
  return records.flatMap((record) => {
    const at = record?.indexOf(Buffer.of(0xc4, 32)) ?? -1;
    return record && at >= 0 ? [record.subarray(at + 2, at + 34)] : [];
  });
}
