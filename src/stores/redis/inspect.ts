// Owns the self-check: what the primaries say of themselves. From INFO, because managed Redis denies CONFIG.

import type { Redis } from 'ioredis';
import { withDeadline } from '../../sessions/deadline.ts';
import { Outage } from '../../sessions/errors.ts';
import { errorCode, primariesOf, type RedisClient } from './connect.ts';

export interface RedisFacts {
  readonly version: string;
  /** Of all primaries: the first policy that is not `noeviction`, else `noeviction`. */
  readonly evictionPolicy: string;
  /** The weakest among the primaries: `memory`, `snapshot`, `everysec`, `always`, or `aof` where the server does not tell which. */
  readonly durability: string;
  /** Replicas that are connected and have caught up: of the primary that has fewest. */
  readonly replicas: number;
}

const DEADLINE_MS = 1000;
const WEAKEST_FIRST = ['memory', 'snapshot', 'no', 'aof', 'everysec', 'always'];

const fieldOf = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1]?.trim();

/** CONFIG is denied by many managed services; then the name of the policy stays unsaid. */
async function appendFsync(node: Redis): Promise<string> {
  try {
    const [, value] = (await node.config('GET', 'appendfsync')) as string[];
    return value ?? 'aof';
  } catch {
    return 'aof';
  }
}

async function inspectNode(node: Redis): Promise<RedisFacts> {
  const info = await node.info();
  const snapshots = Number(fieldOf(info, 'rdb_last_save_time')) > 0 && (await savesSnapshots(node));
  return {
    version: fieldOf(info, 'redis_version') ?? '0',
    evictionPolicy: fieldOf(info, 'maxmemory_policy') ?? 'unknown',
    durability:
      fieldOf(info, 'aof_enabled') === '1'
        ? await appendFsync(node)
        : snapshots
          ? 'snapshot'
          : 'memory',
    replicas: info.match(/^slave\d+:.*\bstate=online\b/gm)?.length ?? 0,
  };
}

async function savesSnapshots(node: Redis): Promise<boolean> {
  try {
    const [, value] = (await node.config('GET', 'save')) as string[];
    return value !== undefined && value !== '';
  } catch {
    return false;
  }
}

const weaker = (a: RedisFacts, b: RedisFacts): RedisFacts => ({
  version: Number.parseInt(a.version, 10) <= Number.parseInt(b.version, 10) ? a.version : b.version,
  evictionPolicy: a.evictionPolicy === 'noeviction' ? b.evictionPolicy : a.evictionPolicy,
  durability:
    WEAKEST_FIRST.indexOf(a.durability) <= WEAKEST_FIRST.indexOf(b.durability)
      ? a.durability
      : b.durability,
  replicas: Math.min(a.replicas, b.replicas),
});

/** Asks every primary. Rejects with Outage if one of them does not answer. */
export async function inspectRedis(client: RedisClient): Promise<RedisFacts> {
  try {
    const nodes = primariesOf(client);
    if (nodes.length === 0) throw new Outage('inspect: not connected');
    const facts = await withDeadline(Promise.all(nodes.map(inspectNode)), DEADLINE_MS, 'inspect');
    return facts.reduce(weaker);
  } catch (error) {
    throw error instanceof Outage ? error : new Outage(`inspect: ${errorCode(error as Error)}`);
  }
}
