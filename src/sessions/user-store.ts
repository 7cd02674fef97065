// Owns the port to what is kept of users: when they were seen, how many sessions they started, how they stand.

import type { Place, UserRef } from './session.ts';

/** A product and environment, under one tag or all. */
export interface PartRef extends Place {
  readonly tag?: string | undefined;
}

export interface UserQuery extends UserRef {
  readonly tag?: string | undefined;
}

/** A user as seen under one tag or all. Kept until its retention has passed since its last session ended. */
export interface User {
  readonly userId: string;
  /** The first start. */
  readonly firstSeenAtMs: number;
  /** The last start or refresh. */
  readonly lastSeenAtMs: number;
  /** Sessions started since. */
  readonly totalSessions: number;
  readonly activeSessions: number;
}

/** Where a walk over users has come to; `standing` is what the store orders them by. */
export interface UserPosition {
  readonly bucket: number;
  readonly standing: number;
  readonly userId: string;
}

export interface UsersQuery extends PartRef {
  readonly limit: number;
  readonly after?: UserPosition | undefined;
}

export interface UserPage {
  readonly users: readonly User[];
  /** Present if there may be more. */
  readonly next?: UserPosition | undefined;
}

/** How many users there are and how they stand: each kept user is active, inactive or expired. Days are UTC, weeks begin on Monday. */
export interface Activity {
  /** With a live session. */
  readonly activeUsers: number;
  /** Without one; the last was ended: revoked, evicted, or ended as stolen. */
  readonly inactiveUsers: number;
  /** Without one; the last ran out. */
  readonly expiredUsers: number;
  readonly newUsersToday: number;
  readonly newUsersThisWeek: number;
  /** Sessions started by the kept users. */
  readonly totalSessions: number;
  readonly activeSessions: number;
}

/** Rejects with `Outage` as the port of sessions does. */
export interface UserStore {
  /** Undefined for a user that was never seen, was erased, or whose retention has passed. */
  readUser(query: UserQuery): Promise<User | undefined>;
  /** Users in no particular order; misses none but who leaves between two pages, and may repeat one that comes back meanwhile. */
  listUsers(query: UsersQuery): Promise<UserPage>;
  /** Forgets a user of all tags. False, and nothing is done, while it has a live session. */
  eraseUser(user: UserRef): Promise<boolean>;
  countActivity(part: PartRef): Promise<Activity>;
}
