// Owns revocation: existence is the truth, so to revoke is to delete, and to delete again is to succeed again.

import { readAccessToken } from './access-token.ts';
import { Outage, Refusal } from './errors.ts';
import { provesGeneration } from './proof.ts';
import { openRefreshToken } from './refresh-token.ts';
import { covers, type Scope } from './scope.ts';
import type { Locator, Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import { parseSessionId } from './session-id.ts';
import type { Reading, UserRemoval } from './session-store.ts';

const read = (deps: SessionDeps, locator: Locator): Promise<Reading> =>
  deps.storeClock.learn(() => deps.store.read(locator));

/** Ends the session if it was found, and waits for the promised durability either way: the call before may have died on it. */
async function end(
  deps: SessionDeps,
  locator: Locator,
  session: Session | undefined,
): Promise<void> {
  if (session === undefined) {
    if (await deps.store.confirm(locator, undefined)) return;
    // The primary that it is gone from is no longer the one. Whoever asks again finds it, and is judged by what it holds.
    throw new Outage('revoke: the session is there again');
  }
  if (await deps.store.remove(session)) {
    const { product, env, tag, sessionId } = locator;
    deps.emit({ name: 'session_revoked', product, env, tag, sessionId, count: 1 });
  }
}

/** Ends one session; one that is already gone is no error. Rejects with Outage. */
export async function revokeSession(deps: SessionDeps, locator: Locator): Promise<void> {
  if (parseSessionId(locator.sessionId) === undefined) return;
  await end(deps, locator, (await read(deps, locator)).session);
}

/** Ends the session of a token, expired or not. Rejects with Refusal `invalid_token` for one that is not ours or out of scope, or Outage. */
export async function revokeByToken(deps: SessionDeps, scope: Scope, token: string): Promise<void> {
  const claims = await readAccessToken(token, deps.keys, deps.issuer);
  if (claims === undefined || !covers(scope, claims)) throw new Refusal({ code: 'invalid_token' });
  await revokeSession(deps, claims);
}

/** Ends the session of a refresh token of any generation. Rejects with Refusal `invalid_refresh_token`, or Outage. */
export async function revokeByRefreshToken(
  deps: SessionDeps,
  scope: Scope,
  refreshToken: string,
): Promise<void> {
  const invalid = new Refusal({ code: 'invalid_refresh_token', reason: 'invalid' });
  const presented = await openRefreshToken(deps.refreshTokenSealer, refreshToken);
  if (presented === undefined || !covers(scope, presented.locator)) throw invalid;
  const { locator, generation, proof } = presented;
  const { session } = await read(deps, locator);
  if (session !== undefined && !provesGeneration(session, generation, proof)) throw invalid;
  await end(deps, locator, session);
}

/** Ends the live sessions of a user; returns how many. Rejects with Outage. */
export async function revokeUserSessions(deps: SessionDeps, removal: UserRemoval): Promise<number> {
  const count = await deps.store.removeUser(removal);
  const { product, env, tag } = removal;
  if (count > 0) deps.emit({ name: 'user_sessions_revoked', product, env, tag, count });
  return count;
}
