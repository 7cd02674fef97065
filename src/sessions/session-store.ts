// Owns the port to the store: few operations, each atomic and harmless when executed twice, each settled in time or failed as an Outage.

import type { ClaimStore } from './claim-store.ts';
import type { Locator, Place, Session, UserRef } from './session.ts';
import type { UserStore } from './user-store.ts';

/** The store's time, and the session if it is live at that time. */
export interface Reading {
  readonly nowMs: number;
  readonly session: Session | undefined;
}

export interface Creation {
  readonly outcome: 'created' | 'taken' | 'limit_reached' | 'skewed';
  /** Ids of sessions that were ended to make room. Unknown, and so empty, if the store's reply was lost on its way. */
  readonly evicted: readonly string[];
  /** The store's time, if that is why it refused. */
  readonly nowMs?: number | undefined;
}

/** How many live sessions a user may hold under a tag, and what happens to one more. */
export interface TagLimit {
  readonly most: number;
  readonly onLimit: 'reject' | 'evict_oldest';
}

export interface StartLimits {
  /** Live sessions of the user in product and environment. */
  readonly perUser: number;
  readonly underTag?: TagLimit | undefined;
}

/** A start has no read before it, so its times come from an estimate; the store refuses one that is further off than this. */
export const MAX_SKEW_MS = 5000;

/**
 * Nobody waits for an answer any longer than this (invariant I7). A store that stood still and carries out a rotation later would spend
 * the retry window of somebody who was told that nothing is known.
 */
export const MAX_LATENESS_MS = 2000;

/** Whether a change moves the session on, as opposed to one of its details. */
export const isRotation = (current: Session, next: Session): boolean =>
  next.refreshedAtMs !== current.refreshedAtMs;

/** Where a walk over all sessions of a tag has come to. */
export interface TagPosition {
  readonly bucket: number;
  readonly expiresAtMs: number;
  readonly sessionId: string;
}

export interface TagQuery extends Place {
  readonly tag: string;
  readonly limit: number;
  readonly after?: TagPosition | undefined;
}

export interface UserQuery extends UserRef {
  readonly tag?: string | undefined;
  readonly limit: number;
  /** The id of the last session of the page before. */
  readonly after?: string | undefined;
}

export interface Page<Position> {
  readonly sessions: readonly Session[];
  /** Present if there may be more. */
  readonly next?: Position | undefined;
}

export interface UserRemoval extends UserRef {
  readonly tag?: string | undefined;
  /** Id of a session to leave alone. */
  readonly except?: string | undefined;
}

export interface StoreDescription {
  readonly store: 'memory' | 'redis';
  readonly mode: 'embedded' | 'single' | 'sentinel' | 'cluster';
  /** What an acknowledged write survives, by the names of docs/durability.md. */
  readonly durability: string;
  readonly acknowledgedReplicas: number;
}

/**
 * Every operation rejects with `Outage` when the store does not answer in time, refuses, or holds a record of a version this
 * program does not know. All times are the store's, in milliseconds since the epoch. Session ids handed in have the form of one.
 */
export interface SessionStore extends UserStore, ClaimStore {
  describe(): StoreDescription;
  /** The store's time; also proof that it answers. */
  now(): Promise<number>;

  /**
   * Writes a new session and its index entries, unless its id is taken, its user already holds as many live ones as the limits
   * allow, or its creation lies more than MAX_SKEW_MS from the store's time. A session whose revision is found already there
   * counts as created, and names no evicted ones.
   */
  create(session: Session, limits: StartLimits): Promise<Creation>;
  read(locator: Locator): Promise<Reading>;
  /**
   * Replaces `current` by `next` if nothing has changed since it was read; a gone or expired session is stale, and so is a rotation that
   * arrives more than MAX_LATENESS_MS after it was decided.
   */
  replace(current: Session, next: Session): Promise<'replaced' | 'stale'>;
  /** Ends a session. False if it was already gone. */
  remove(session: Session): Promise<boolean>;
  /**
   * Whether what a reading has found of a session is still so; resolves once that is as durable as the store promises. It may be otherwise
   * because somebody has changed it since, or because another primary has taken over that sees it so.
   */
  confirm(locator: Locator, found: Session | undefined): Promise<boolean>;

  /** Sessions of one user, newest first. */
  listUser(query: UserQuery): Promise<Page<string>>;
  /** Sessions of one tag in no particular order; misses no live one but one whose end was brought forward meanwhile, may repeat one that was rotated. */
  listTag(query: TagQuery): Promise<Page<TagPosition>>;
  /** Ends all sessions of a user that were live when this was called; returns how many. */
  removeUser(removal: UserRemoval): Promise<number>;

  /** The sealed ring of signing keys, undefined if there is none. */
  readRing(): Promise<string | undefined>;
  /** Writes the ring if it still is `current`; false if it has changed. */
  replaceRing(current: string | undefined, next: string): Promise<boolean>;

  close(): Promise<void>;
}
