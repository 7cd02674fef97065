// Owns looking at all that Redis holds, comparing two looks, and putting an earlier one back.

import type { Redis } from 'ioredis';

interface Held {
  readonly value: Buffer;
  /** Epoch ms at which it expires; -1 for never. */
  readonly expiresAtMs: number;
}

export type StoreState = ReadonlyMap<string, Held>;

/** Every key with its value and expiry; keys are ASCII by the rules of the service. */
export async function readState(redis: Redis): Promise<StoreState> {
  const keys = (await redis.keys('*')).sort();
  const pipeline = redis.pipeline();
  for (const key of keys) pipeline.dumpBuffer(key).call('PEXPIRETIME', key);
  const results = (await pipeline.exec()) ?? [];
  return new Map(
    keys.map((key, at) => [
      key,
      {
        value: results[2 * at]?.[1] as Buffer,
        expiresAtMs: Number(results[2 * at + 1]?.[1]),
      },
    ]),
  );
}

const same = (one: Held | undefined, other: Held | undefined): boolean =>
  one !== undefined &&
  other !== undefined &&
  one.expiresAtMs === other.expiresAtMs &&
  one.value.equals(other.value);

/** Names of the keys that came, went, or hold something else. */
export function changedKeys(before: StoreState, after: StoreState): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => !same(before.get(name), after.get(name)));
}

export async function restoreState(redis: Redis, wanted: StoreState): Promise<void> {
  const changed = changedKeys(wanted, await readState(redis));
  if (changed.length === 0) return;
  const pipeline = redis.pipeline();
  for (const name of changed) {
    const held = wanted.get(name);
    if (held === undefined) pipeline.del(name);
    else pipeline.restore(name, Math.max(held.expiresAtMs, 0), held.value, 'REPLACE', 'ABSTTL');
  }
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}
