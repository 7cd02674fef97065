// Owns the answer to "is this token good, now?": the signature says whose it is, the store says whether its session lives.

import { type AccessClaims, readAccessToken } from './access-token.ts';
import { covers, type Scope } from './scope.ts';
import type { Session } from './session.ts';
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
  return { valid: true, session, claims };
}
