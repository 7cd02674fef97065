// Owns the embedded store: one process, bounded, expiring, gone with the process. Same meaning as the Redis store.

import { Outage } from '../sessions/errors.ts';
import { isLive, type Locator, type Session, type UserRef } from '../sessions/session.ts';
import { bucketName, parseSessionId } from '../sessions/session-id.ts';
import {
  type Creation,
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
import { createMemoryUsers, type LastExpiry } from './memory-users.ts';

export interface MemoryStoreOptions {
  /** The store's time in milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Sessions held at most; beyond it a start is an outage, for no live session is ever evicted. */
  readonly maxSessions: number;
  /** How long a user is kept after its last session. */
  readonly userRetentionMs: number;
}

/** How many of the oldest records each write looks at for expired ones: more than one, so that they cannot pile up. */
const TRIM_PER_WRITE = 4;
/** How often a full store may be searched whole for expired records. */
const SWEEP_AFTER_MS = 1000;

const sessionKey = ({ product, env, tag, sessionId }: Locator): string =>
  JSON.stringify([product, env, tag, sessionId]);
const userKey = ({ product, env, userId }: UserRef): string =>
  JSON.stringify([product, env, userId]);
const tagKey = (at: { product: string; env: string; tag: string }, bucket: string): string =>
  JSON.stringify([at.product, at.env, at.tag, bucket]);
const sameRevision = (a: Session, b: Session): boolean =>
  Buffer.compare(a.revision, b.revision) === 0;

/** Nothing handed in or out is shared with what is kept. */
const copy = (session: Session): Session => ({
  ...session,
  details: structuredClone(session.details),
  ...(session.claims && { claims: structuredClone(session.claims) }),
  seed: Uint8Array.from(session.seed),
  revision: Uint8Array.from(session.revision),
});

const comparePositions = (a: TagPosition, b: TagPosition): number =>
  a.expiresAtMs - b.expiresAtMs ||
  (a.sessionId < b.sessionId ? -1 : Number(a.sessionId > b.sessionId));

type Index = Map<string, Map<string, Session>>;

function addTo(index: Index, name: string, session: Session): void {
  const members = index.get(name);
  if (members) members.set(session.sessionId, session);
  else index.set(name, new Map([[session.sessionId, session]]));
}

function removeFrom(index: Index, name: string, sessionId: string): void {
  const members = index.get(name);
  members?.delete(sessionId);
  if (members?.size === 0) index.delete(name);
}

/** Users are kept under their tag and under all tags. */
const RECORDS_PER_SESSION = 2;

export function createMemoryStore(options: MemoryStoreOptions): SessionStore {
  const { nowMs, maxSessions, userRetentionMs: retentionMs } = options;
  const users = createMemoryUsers({
    nowMs,
    retentionMs,
    maxRecords: RECORDS_PER_SESSION * maxSessions,
  });
  const { forbid, isForbidden, ...claims } = createMemoryClaims(nowMs);
  /** In the order of the last write, so that the oldest, the likeliest to have expired, come first. */
  const records = new Map<string, Session>();
  const byUser: Index = new Map();
  const byTag: Index = new Map();
  let ring: string | undefined;
  let sweptAtMs = Number.NEGATIVE_INFINITY;

  const tagOf = (session: Session): string =>
    tagKey(session, parseSessionId(session.sessionId)?.bucket ?? '');

  function put(session: Session): void {
    const own = copy(session);
    const key = sessionKey(own);
    records.delete(key);
    records.set(key, own);
    addTo(byUser, userKey(own), own);
    addTo(byTag, tagOf(own), own);
  }

  function drop(session: Session): void {
    records.delete(sessionKey(session));
    removeFrom(byUser, userKey(session), session.sessionId);
    removeFrom(byTag, tagOf(session), session.sessionId);
  }

  function trim(limit: number): void {
    let looked = 0;
    for (const session of records.values()) {
      if (looked++ === limit) return;
      if (!isLive(session, nowMs())) drop(session);
    }
  }

  function makeRoom(): void {
    trim(TRIM_PER_WRITE);
    if (records.size >= maxSessions && nowMs() - sweptAtMs >= SWEEP_AFTER_MS) {
      sweptAtMs = nowMs();
      trim(records.size);
    }
    if (records.size >= maxSessions) throw new Outage('memory store: full');
  }

  function liveOf(members: Map<string, Session> | undefined): Session[] {
    const now = nowMs();
    return [...(members?.values() ?? [])].filter((session) => isLive(session, now));
  }

  const liveRecord = (locator: Locator): Session | undefined => {
    const session = records.get(sessionKey(locator));
    return session && isLive(session, nowMs()) ? session : undefined;
  };

  const ofUser = ({ tag, ...user }: UserRef & { readonly tag?: string | undefined }) =>
    liveOf(byUser.get(userKey(user))).filter((session) => tag === undefined || session.tag === tag);

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
    return liveOf(byTag.get(tagKey(query, bucketName(bucket))))
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
      const found = liveRecord(session);
      if (found) return refused(sameRevision(found, session) ? 'created' : 'taken');
      if (isForbidden(session)) return refused('taken');
      if (Math.abs(nowMs() - session.createdAtMs) > MAX_SKEW_MS) return refused('skewed');
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
      const session = liveRecord(locator);
      return { nowMs: nowMs(), session: session && copy(session) };
    },
    async replace(current, next) {
      const found = liveRecord(current);
      if (!found) return 'stale';
      if (sameRevision(found, next)) return 'replaced';
      if (!sameRevision(found, current)) return 'stale';
      put(next);
      users.see(next, next.refreshedAtMs, 0, lastExpiryOf(next));
      trim(TRIM_PER_WRITE);
      return 'replaced';
    },
    async remove(session) {
      const found = liveRecord(session);
      if (found) end([found]);
      return found !== undefined;
    },
    confirm: async () => undefined,

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
        const session = records.get(sessionKey({ ...query, sessionId }));
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
      if (liveRecord(locator)) return false;
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
      const live = [...records.values()].filter(
        (session) =>
          session.product === part.product &&
          session.env === part.env &&
          (part.tag === undefined || session.tag === part.tag) &&
          isLive(session, nowMs()),
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
