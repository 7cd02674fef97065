// Owns what a run leaves in the store: keys that should have gone, and numbers that do not add up.

import { loadConfig } from '../src/config.ts';
import { until, withRedis } from '../test/support/redis-client.ts';
import { openRedisStore } from '../test/support/redis-store-under-test.ts';
import { TEST_SECRET } from '../test/support/service-process.ts';
import type { Env, World } from './worlds.ts';

/** The ring of signing keys. */
const BASELINE_KEYS = 1;
/** What operators keep: types and API keys. */
const ADMINISTERED = /^(types:|session-mint:api-key)/;
/** A claim on an idempotency key is kept for a day, whatever becomes of its session. */
const CLAIMS = /^idempotency:/;
/** A user is remembered for its retention, unless it was erased. */
const USERS = /^(users|user-records|user-parts):/;

/** Keys of ours on the primaries that answer, but for those that outlive sessions by intent. */
async function keysLeft({ servers }: World, outliving: readonly RegExp[]): Promise<number> {
  const all = await Promise.all(
    servers.map(({ port }) =>
      withRedis(port, async (redis) => {
        if (!(await redis.info('replication')).includes('role:master')) return [];
        const keys = await redis.keys('*');
        const sizes = await Promise.all(
          keys.map((key) => (key.startsWith('session:') ? redis.strlen(key) : 0)),
        );
        // One byte forbids a session that a broken-off start had announced, for a minute (ADR 15).
        return keys.filter((_key, i) => sizes[i] !== 1);
      }).catch((): string[] => []),
    ),
  );
  return all.flat().filter((key) => !outliving.some((pattern) => pattern.test(key))).length;
}

/** Keys beyond the baseline, as soon as there are none or when the time is over. `byTime`: nobody was erased. */
export async function keysBeyondBaseline(
  world: World,
  withinMs: number,
  byTime: boolean,
): Promise<number> {
  const outliving = [ADMINISTERED, CLAIMS, ...(byTime ? [USERS] : [])];
  const beyond = async () => (await keysLeft(world, outliving)) - BASELINE_KEYS;
  await until('only the baseline is left', withinMs, async () => (await beyond()) <= 0).catch(
    () => undefined,
  );
  return Math.max(0, await beyond());
}

/** What a recount finds wrong, by name. */
export async function driftOf(world: World, env: Env): Promise<Readonly<Record<string, number>>> {
  const { redis } = loadConfig({ SECRET: TEST_SECRET, ...world.env[0], ...env });
  if (redis === undefined) throw new TypeError('a world must have a Redis');
  const store = await openRedisStore(redis);
  try {
    const { sessions: _sessions, parts: _parts, ...off } = await store.drift();
    return Object.fromEntries(Object.entries(off).filter(([, count]) => count > 0));
  } finally {
    await store.close();
  }
}
