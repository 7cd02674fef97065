// Owns the users of the embedded store: who they are, when they were seen and how they stand, for each tag and for all.

import type { Place } from '../sessions/session.ts';
import type { Activity, PartRef, User } from '../sessions/user-store.ts';
import { DAY_MS, dayOf, weekdayOf } from './activity.ts';

/** What is kept of a user in one part: under one tag, or under all. */
interface UserRecord {
  readonly userId: string;
  readonly firstSeenAtMs: number;
  readonly lastSeenAtMs: number;
  readonly totalSessions: number;
  /** The moment the last session ran out or runs out, or was ended. */
  readonly endsAtMs: number;
  readonly ended: boolean;
}

export interface MemoryUsersOptions {
  readonly nowMs: () => number;
  readonly retentionMs: number;
  /** Records kept at most; beyond it those of the users gone longest are dropped. */
  readonly maxRecords: number;
}

/** What a write tells of a user: the expiry of its last live session, under its tag or any. */
export type LastExpiry = (tag: string | undefined) => number | undefined;

const partKey = ({ product, env, tag }: PartRef): string =>
  JSON.stringify([product, env, tag ?? null]);

/** How many of the records written longest ago each write looks at for forgotten users. */
const TRIM_PER_WRITE = 4;

export function createMemoryUsers({ nowMs, retentionMs, maxRecords }: MemoryUsersOptions) {
  const parts = new Map<string, Map<string, UserRecord>>();
  /** All records in the order of their last write. */
  const order = new Map<string, readonly [part: string, userId: string]>();

  const isKept = ({ endsAtMs }: UserRecord): boolean => endsAtMs > nowMs() - retentionMs;

  function drop(part: string, userId: string): void {
    const records = parts.get(part);
    records?.delete(userId);
    if (records?.size === 0) parts.delete(part);
    order.delete(JSON.stringify([part, userId]));
  }

  function put(part: string, record: UserRecord): void {
    const records = parts.get(part) ?? new Map<string, UserRecord>();
    parts.set(part, records.set(record.userId, record));
    const name = JSON.stringify([part, record.userId]);
    order.delete(name);
    order.set(name, [part, record.userId]);
  }

  function trim(): void {
    let looked = 0;
    for (const [part, userId] of order.values()) {
      const record = parts.get(part)?.get(userId);
      const full = order.size > maxRecords && record !== undefined && record.endsAtMs <= nowMs();
      if (record === undefined || full || !isKept(record)) drop(part, userId);
      if (++looked >= TRIM_PER_WRITE && order.size <= maxRecords) return;
      if (looked >= maxRecords) return;
    }
  }

  function find(ref: PartRef, userId: string): UserRecord | undefined {
    const record = parts.get(partKey(ref))?.get(userId);
    return record && isKept(record) ? record : undefined;
  }

  const partsOf = (place: Place, tag: string): readonly PartRef[] => [place, { ...place, tag }];

  return {
    /** A user was seen at a start (`started` 1) or a refresh (0). */
    see(
      { product, env, tag, userId }: Place & { readonly tag: string; readonly userId: string },
      seenAtMs: number,
      started: 0 | 1,
      lastExpiry: LastExpiry,
    ): void {
      for (const part of partsOf({ product, env }, tag)) {
        const known = find(part, userId);
        put(partKey(part), {
          userId,
          firstSeenAtMs: known?.firstSeenAtMs ?? Math.min(seenAtMs, nowMs()),
          lastSeenAtMs: Math.max(known?.lastSeenAtMs ?? 0, seenAtMs),
          totalSessions: known ? known.totalSessions + started : 1,
          endsAtMs: lastExpiry(part.tag) ?? nowMs(),
          ended: false,
        });
      }
      trim();
    },
    /** Sessions of a user were ended. */
    leave(
      { product, env, tag, userId }: Place & { readonly tag: string; readonly userId: string },
      lastExpiry: LastExpiry,
    ): void {
      for (const part of partsOf({ product, env }, tag)) {
        const known = find(part, userId);
        const last = lastExpiry(part.tag);
        if (known)
          put(partKey(part), { ...known, endsAtMs: last ?? nowMs(), ended: last === undefined });
      }
    },
    read: (part: PartRef, userId: string): Omit<User, 'activeSessions'> | undefined =>
      find(part, userId),
    /** Kept users of a part. */
    list: (part: PartRef): readonly Omit<User, 'activeSessions'>[] =>
      [...(parts.get(partKey(part))?.values() ?? [])].filter(isKept),
    erase({ product, env }: Place, userId: string): void {
      for (const part of [...parts.keys()]) {
        const [ofProduct, ofEnv] = JSON.parse(part) as string[];
        if (ofProduct === product && ofEnv === env) drop(part, userId);
      }
    },
    count(part: PartRef): Omit<Activity, 'activeSessions'> {
      const now = nowMs();
      const kept = [...(parts.get(partKey(part))?.values() ?? [])].filter(isKept);
      const today = dayOf(now);
      const since = (day: number) =>
        kept.filter(({ firstSeenAtMs }) => firstSeenAtMs >= day * DAY_MS).length;
      const gone = kept.filter(({ endsAtMs }) => endsAtMs <= now);
      const left = gone.filter(({ ended }) => ended).length;
      return {
        activeUsers: kept.length - gone.length,
        inactiveUsers: left,
        expiredUsers: gone.length - left,
        newUsersToday: since(today),
        newUsersThisWeek: since(today - weekdayOf(today)),
        totalSessions: kept.reduce((sum, { totalSessions }) => sum + totalSessions, 0),
      };
    },
  };
}
