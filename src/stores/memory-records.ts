// Owns the sessions in memory and the ways to find them: by address, by user, by tag and bucket. Bounded, expiring.

import { Outage } from '../sessions/errors.ts';
import { isLive, type Locator, type Session, type UserRef } from '../sessions/session.ts';
import { bucketName, parseSessionId } from '../sessions/session-id.ts';

export interface MemoryRecordsOptions {
  /** The store's time in milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Sessions held at most; no live one is ever evicted. */
  readonly maxSessions: number;
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

/** Nothing handed in or out is shared with what is kept. */
export const copy = (session: Session): Session => ({
  ...session,
  details: structuredClone(session.details),
  ...(session.claims && { claims: structuredClone(session.claims) }),
  seed: Uint8Array.from(session.seed),
  revision: Uint8Array.from(session.revision),
});

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

export function createMemoryRecords({ nowMs, maxSessions }: MemoryRecordsOptions) {
  /** In the order of the last write, so that the oldest, the likeliest to have expired, come first. */
  const records = new Map<string, Session>();
  const byUser: Index = new Map();
  const byTag: Index = new Map();
  let sweptAtMs = Number.NEGATIVE_INFINITY;

  const tagOf = (session: Session): string =>
    tagKey(session, parseSessionId(session.sessionId)?.bucket ?? '');

  /** Writes a session, its own copy, and moves it to the end of the order. */
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

  /** Throws Outage if there is no room for one more. */
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

  /** The session if it is there and lives. */
  const find = (locator: Locator): Session | undefined => {
    const session = records.get(sessionKey(locator));
    return session && isLive(session, nowMs()) ? session : undefined;
  };

  /** Live sessions of a user, under one tag or all. */
  const ofUser = ({ tag, ...user }: UserRef & { readonly tag?: string | undefined }) =>
    liveOf(byUser.get(userKey(user))).filter((session) => tag === undefined || session.tag === tag);

  /** Live sessions under a tag in one bucket. */
  const ofBucket = (at: Omit<Locator, 'sessionId'>, bucket: number): Session[] =>
    liveOf(byTag.get(tagKey(at, bucketName(bucket))));

  return {
    put,
    drop,
    /** Drops what has expired among the records written longest ago. */
    trim: () => trim(TRIM_PER_WRITE),
    makeRoom,
    find,
    ofUser,
    ofBucket,
    all: (): Session[] => liveOf(records),
  };
}
