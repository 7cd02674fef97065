// Owns the set of operations on sessions, each under one deadline around all its calls to the store.

import { changeDetails, type DetailsChange } from './change-details.ts';
import { type Deadline, withDeadline } from './deadline.ts';
import { type IdempotentStart, startOnce } from './idempotent-start.ts';
import { type ListInput, listSessions, readSession } from './list-sessions.ts';
import { type RefreshInput, refreshSession } from './refresh-session.ts';
import {
  revokeByRefreshToken,
  revokeByToken,
  revokeSession,
  revokeUserSessions,
} from './revoke-session.ts';
import type { Scope } from './scope.ts';
import type { Locator, UserRef } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import { createSessionIds } from './session-id.ts';
import type { UserRemoval } from './session-store.ts';
import { type StartInput, startSession } from './start-session.ts';
import type { PartRef } from './user-store.ts';
import {
  eraseUser,
  listUsers,
  readActivity,
  readUser,
  type UserInput,
  type UsersInput,
} from './users.ts';
import { type VerifyInput, verifyToken } from './verify-token.ts';

/** Every request is answered within 2 s (invariant I7); this leaves 400 ms to know the caller, 100 to count it, and 200 for the rest. */
const OPERATION_DEADLINE_MS = 1300;

/** All operations may reject with Outage; their own functions name the refusals. */
export function createSessionService(ports: Omit<SessionDeps, 'newSessionId'>) {
  const deps: SessionDeps = { ...ports, newSessionId: createSessionIds(ports.randomBytes) };
  const inTime = <T>(name: string, work: Promise<T> | ((deadline: Deadline) => Promise<T>)) =>
    withDeadline(work, OPERATION_DEADLINE_MS, name);
  return {
    start: (input: StartInput) => inTime('start', startSession(deps, input)),
    startOnce: (input: IdempotentStart) =>
      inTime('start', (deadline) => startOnce(deps, input, deadline)),
    refresh: (scope: Scope, input: RefreshInput) =>
      inTime('refresh', (deadline) => refreshSession(deps, scope, input, deadline)),
    verify: (scope: Scope, input: VerifyInput) => inTime('verify', verifyToken(deps, scope, input)),
    revokeByToken: (scope: Scope, token: string) =>
      inTime('revoke', revokeByToken(deps, scope, token)),
    revokeByRefreshToken: (scope: Scope, refreshToken: string) =>
      inTime('revoke', revokeByRefreshToken(deps, scope, refreshToken)),
    revoke: (locator: Locator) => inTime('revoke', revokeSession(deps, locator)),
    revokeUser: (removal: UserRemoval) => inTime('revoke user', revokeUserSessions(deps, removal)),
    read: (locator: Locator) => inTime('read', readSession(deps, locator)),
    changeDetails: (locator: Locator, change: DetailsChange) =>
      inTime('change details', (deadline) => changeDetails(deps, locator, change, deadline)),
    readUser: (input: UserInput) => inTime('read user', readUser(deps, input)),
    listUsers: (input: UsersInput) => inTime('list users', listUsers(deps, input)),
    eraseUser: (user: UserRef) =>
      inTime('erase user', (deadline) => eraseUser(deps, user, deadline)),
    activity: (part: PartRef) => inTime('activity', readActivity(deps, part)),
    list: (input: ListInput) => inTime('list', listSessions(deps, input)),
  };
}

export type SessionService = ReturnType<typeof createSessionService>;
