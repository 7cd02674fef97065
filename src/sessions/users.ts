// Owns what callers learn of users, and their erasure.

import { type Deadline, untilAnswered } from './deadline.ts';
import { Refusal } from './errors.ts';
import { openCursor, sealCursor } from './list-sessions.ts';
import type { Session, UserRef } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import type { Activity, PartRef, User, UserPosition } from './user-store.ts';

export interface UserInput extends UserRef {
  readonly tag?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface UserView {
  readonly user: User;
  /** A page of its live sessions, newest first. */
  readonly sessions: readonly Session[];
  readonly nextCursor?: string | undefined;
}

/** A user and a page of its live sessions. Rejects with Refusal `user_not_found` or `invalid_cursor`, or Outage. */
export async function readUser(deps: SessionDeps, input: UserInput): Promise<UserView> {
  const { product, env, tag, userId } = input;
  const list = ['user', product, env, tag ?? null, userId];
  const after = await openCursor<string>(deps, list, input.cursor);
  const [user, page] = await Promise.all([
    deps.store.readUser(input),
    deps.store.listUser({ ...input, after }),
  ]);
  if (user === undefined) throw new Refusal({ code: 'user_not_found' });
  return { user, sessions: page.sessions, nextCursor: await sealCursor(deps, list, page.next) };
}

export interface UsersInput extends PartRef {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface UserList {
  readonly users: readonly User[];
  readonly nextCursor?: string | undefined;
}

/** One page of users. Rejects with Refusal `invalid_cursor`, or Outage. */
export async function listUsers(deps: SessionDeps, input: UsersInput): Promise<UserList> {
  const { product, env, tag } = input;
  const list = ['users', product, env, tag ?? null];
  const after = await openCursor<UserPosition>(deps, list, input.cursor);
  const page = await deps.store.listUsers({ ...input, after });
  return { users: page.users, nextCursor: await sealCursor(deps, list, page.next) };
}

/** A session that starts while its user is erased makes another round; so many of them are no coincidence. */
const MAX_ROUNDS = 8;

/** Ends all sessions of a user and forgets it; to erase nobody is to succeed. Rejects with Outage. */
export async function eraseUser(
  deps: SessionDeps,
  user: UserRef,
  deadline: Deadline,
): Promise<void> {
  const { product, env } = user;
  let count = 0;
  try {
    await untilAnswered('erase user', MAX_ROUNDS, deadline, async () => {
      count += await deps.store.removeUser(user);
      return (await deps.store.eraseUser(user)) || undefined;
    });
  } finally {
    // Sessions that were ended are said even if the user could not be forgotten.
    if (count > 0) deps.emit({ name: 'user_sessions_revoked', product, env, count });
  }
  deps.emit({ name: 'user_erased', product, env });
}

/** Rejects with Outage. */
export const readActivity = (deps: SessionDeps, part: PartRef): Promise<Activity> =>
  deps.store.countActivity(part);
