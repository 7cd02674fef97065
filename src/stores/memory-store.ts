// Owns the embedded store: one process, bounded, expiring, gone with the process. Same meaning as the Redis store.

import type { Session, UserRef } from '../sessions/session.ts';
import {
  type Creation,
  isRotation,
  MAX_LATENESS_MS,
  MAX_SKEW_MS,
  type SessionStore,
  type TagLimit,
  type TagPosition,
  type TagQuery,
  type UserQuery,
  type UserRemoval,
} from '../sessions/session-store.ts';
import type { User, UserQuery as UserAs, UserPosition } from '../sessions/user-store.ts';
import { walkBuckets } from './bucket-walk.ts';
import { createMemoryClaims } from './memory-claims.ts';
import { copy, createMemoryRecords, type MemoryRecordsOptions } from './memory-records.ts';
import { createMemoryUsers, type LastExpiry } from './memory-users.ts';

export interface MemoryStoreOptions extends MemoryRecordsOptions {
  /** How long a user is kept after its last session. */
  readonly userRetentionMs: number;
}

const sameRevision = (a: Session, b: Session): boolean =>
  Buffer.compare(a.revision, b.revision) === 0;

export const comparePositions = (a: TagPosition, b: TagPosition): number =>
  a.expiresAtMs - b.expiresAtMs ||
  (a.sessionId < b.sessionId ? -1 : Number(a.sessionId > b.sessionId));

/** Users are kept under their tag and under all tags. */
const RECORDS_PER_SESSION = 2;

export function createMemoryStore(options: MemoryStoreOptions): SessionStore {
  const { nowMs, maxSessions, userRetentionMs: retentionMs } = options;
  const users = createMemoryUsers({
    nowMs,
    retentionMs,
    maxRecords: RECORDS_PER_SESSION * maxSessions,
  });
  const { forbid, isForbidden, ...claims } = createMemoryClaims(nowMs, maxSessions);
  const { put, drop, trim, makeRoom, find, ofUser, ofBucket, all } = createMemoryRecords(options);
  let ring: string | undefined;

  const lastExpiryOf =
    (user: UserRef): LastExpiry =>
    (tag) => {
      const live = ofUser({ ...user, tag }).map(({ expiresAtMs }) => expiresAtMs);
      return live.length > 0 ? Math.max(...live) : undefined;
    };

  function end(sessions: readonly Session[]): void {
    for (const session of sessions) drop(session);
    const byTag = new Map(sessions.map((session) => [session.tag, session]));
    for (const session of byTag.values()) users.leave(session, lastExpiryOf(session));
  }

  /** The user's oldest sessions under this tag that must go to make room for one. */
  function inExcess(session: Session, { most }: TagLimit): readonly Session[] {
    const oldestFirst = ofUser(session).sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1));
    return oldestFirst.slice(0, Math.max(0, oldestFirst.length - most + 1));
  }

  function readUser({ product, env, tag, userId }: UserAs): User | undefined {
    const user = users.read({ product, env, tag }, userId);
    return (
      user && {
        userId,
        firstSeenAtMs: user.firstSeenAtMs,
        lastSeenAtMs: user.lastSeenAtMs,
        totalSessions: user.totalSessions,
        activeSessions: ofUser({ product, env, tag, userId }).length,
      }
    );
  }

  async function readBucket(
    query: TagQuery,
    bucket: number,
    after: TagPosition | undefined,
    count: number,
  ): Promise<readonly TagPosition[]> {
    return ofBucket(query, bucket)
      .map(({ expiresAtMs, sessionId }) => ({ bucket, expiresAtMs, sessionId }))
      .filter((entry) => after === undefined || comparePositions(entry, after) > 0)
      .sort(comparePositions)
      .slice(0, count);
  }

  return {
    describe: () => ({
      store: 'memory',
      mode: 'embedded',
      durability: 'memory',
      acknowledgedReplicas: 0,
    }),
    now: async () => nowMs(),

    async create(session, { perUser, underTag }) {
      const refused = (outcome: Creation['outcome']): Creation => ({ outcome, evicted: [] });
      const found = find(session);
      if (found) return refused(sameRevision(found, session) ? 'created' : 'taken');
      if (isForbidden(session)) return refused('taken');
      if (Math.abs(nowMs() - session.createdAtMs) > MAX_SKEW_MS) {
        return { ...refused('skewed'), nowMs: nowMs() };
      }
      const excess = underTag ? inExcess(session, underTag) : [];
      if (excess.length > 0 && underTag?.onLimit === 'reject') return refused('limit_reached');
      const held = ofUser({ ...session, tag: undefined }).length - excess.length;
      if (held >= perUser) return refused('limit_reached');
      if (excess.length > 0) end(excess);
      else makeRoom();
      put(session);
      users.see(session, session.refreshedAtMs, 1, lastExpiryOf(session));
      return { outcome: 'created', evicted: excess.map(({ sessionId }) => sessionId) };
    },
    async read(locator) {
      const session = find(locator);
      return { nowMs: nowMs(), session: session && copy(session) };
    },
    async replace(current, next) {
      const found = find(current);
      if (!found) return 'stale';
      if (sameRevision(found, next)) return 'replaced';
      if (!sameRevision(found, current)) return 'stale';
      if (isRotation(current, next) && nowMs() - next.refreshedAtMs > MAX_LATENESS_MS)
        return 'stale';
      put(next);
      users.see(next, next.refreshedAtMs, 0, lastExpiryOf(next));
      trim();
      return 'replaced';
    },
    async remove(session) {
      const found = find(session);
      if (found) end([found]);
      return found !== undefined;
    },
    confirm: async () => true,

    async listUser({ limit, after, ...user }: UserQuery) {
      const newestFirst = ofUser(user)
        .filter(({ sessionId }) => after === undefined || sessionId < after)
        .sort((a, b) => (a.sessionId < b.sessionId ? 1 : -1));
      const sessions = newestFirst.slice(0, limit).map(copy);
      const next = newestFirst.length > limit ? sessions.at(-1)?.sessionId : undefined;
      return { sessions, next };
    },
    async listTag(query) {
      const found = await walkBuckets(
        (bucket, after, count) => readBucket(query, bucket, after, count),
        query.after,
        query.limit + 1,
      );
      const page = found.slice(0, query.limit);
      const sessions = page.flatMap(({ sessionId }) => {
        const session = find({ ...query, sessionId });
        return session ? [copy(session)] : [];
      });
      return { sessions, next: found.length > query.limit ? page.at(-1) : undefined };
    },
    async removeUser({ except, ...user }: UserRemoval) {
      const ending = ofUser(user).filter(({ sessionId }) => sessionId !== except);
      end(ending);
      return ending.length;
    },

    ...claims,
    async forbid(locator) {
      if (find(locator)) return false;
      forbid(locator);
      return true;
    },

    readUser: async (query) => readUser(query),
    async listUsers({ limit, after, ...part }) {
      const found = users
        .list(part)
        .map(({ userId }): UserPosition => ({ bucket: 0, standing: 0, userId }))
        .filter(({ userId }) => after === undefined || userId > after.userId)
        .sort((a, b) => (a.userId < b.userId ? -1 : 1));
      const page = found.slice(0, limit);
      return {
        users: page.flatMap(({ userId }) => readUser({ ...part, userId }) ?? []),
        next: found.length > limit ? page.at(-1) : undefined,
      };
    },
    async eraseUser(user) {
      if (ofUser(user).length > 0) return false;
      users.erase(user, user.userId);
      return true;
    },
    async countActivity(part) {
      const live = all().filter(
        ({ product, env, tag }) =>
          product === part.product && env === part.env && (part.tag ?? tag) === tag,
      );
      return { ...users.count(part), activeSessions: live.length };
    },

    readRing: async () => ring,
    async replaceRing(current, next) {
      if (ring !== current) return ring === next;
      ring = next;
      return true;
    },
    close: async () => undefined,
  };
}
