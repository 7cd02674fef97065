// Owns the answer to "is this token good, now?": the signature says whose it is, the store says whether its session lives.

import { type AccessClaims, readAccessToken } from './access-token.ts';
import { pairSecrets } from './proof.ts';
import { covers, type Scope } from './scope.ts';
import { REVISION_BYTES, type Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';

export interface VerifyInput {
  readonly token: string;
  /** What the token must be for, if given. */
  readonly product?: string | undefined;
  readonly env?: string | undefined;
  readonly tag?: string | undefined;
}

export type Verdict =
  | { readonly valid: true; readonly session: Session; readonly claims: AccessClaims }
  | { readonly valid: false; readonly reason: 'invalid' | 'expired' | 'ended' };

const isExpected = (claims: AccessClaims, { product, env, tag }: VerifyInput): boolean =>
  (product ?? claims.product) === claims.product &&
  (env ?? claims.env) === claims.env &&
  (tag ?? claims.tag) === claims.tag;

/**
 * Notes that the current token has arrived, which closes a retry window that waits for it. Best effort: nobody waits for it,
 * and a window that stays open only answers a retry once more.
 */
function markSeen(deps: SessionDeps, session: Session, claims: AccessClaims): void {
  if (session.successorSeen !== false || claims.tokenId !== pairSecrets(session).tokenId) return;
  const revision = deps.randomBytes(REVISION_BYTES);
  deps.store.replace(session, { ...session, successorSeen: true, revision }).catch(() => undefined);
}

/** Judges scope before any lookup, then expiry and life by the store's time. Rejects with Outage only. */
export async function verifyToken(
  deps: SessionDeps,
  scope: Scope,
  input: VerifyInput,
): Promise<Verdict> {
  const claims = await readAccessToken(input.token, deps.keys, deps.issuer);
  if (claims === undefined || !covers(scope, claims) || !isExpected(claims, input)) {
    return { valid: false, reason: 'invalid' };
  }
  const { session, nowMs } = await deps.storeClock.learn(() => deps.store.read(claims));
  if (nowMs >= claims.expiresAtSeconds * 1000) return { valid: false, reason: 'expired' };
  if (session === undefined) return { valid: false, reason: 'ended' };
  markSeen(deps, session, claims);
  return { valid: true, session, claims };
}
