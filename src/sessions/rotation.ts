// Owns the heart of refresh: what a presented generation means, as a pure function of the session, the time and the policy.

import { isLive, type Session, tokenIssuedAtSeconds } from './session.ts';

/** Lengths of life, all in seconds. */
export interface LifetimePolicy {
  readonly tokenTtlSeconds: number;
  readonly idleTtlSeconds: number;
  readonly absoluteTtlSeconds: number;
  /** How long after a rotation its predecessor is answered with the same successor. */
  readonly refreshRetrySeconds: number;
}

/** What one start or rotation settles about a session. */
export interface Lifetime {
  readonly refreshedAtMs: number;
  readonly expiresAtMs: number;
  readonly tokenExpiresAtSeconds: number;
}

export interface Rotated extends Lifetime {
  readonly generation: number;
}

export type RotationDecision =
  /** The session moves on. `recovered`: the store had lost rotations that this token proves. */
  | { readonly kind: 'rotate'; readonly next: Rotated; readonly recovered: boolean }
  /** The answer to this token was given before; give the same again. */
  | { readonly kind: 'replay' }
  /** A token that its holder had already replaced: somebody else has it too. */
  | { readonly kind: 'reuse' }
  | { readonly kind: 'ended' };

/** The lifetime that a start or rotation at `nowMs` gives: nothing of it lies beyond the absolute limit. */
export function lifetimeFrom(
  nowMs: number,
  absoluteExpiresAtMs: number,
  policy: LifetimePolicy,
): Lifetime {
  return {
    refreshedAtMs: nowMs,
    expiresAtMs: Math.min(nowMs + policy.idleTtlSeconds * 1000, absoluteExpiresAtMs),
    tokenExpiresAtSeconds: Math.min(
      Math.floor(nowMs / 1000) + policy.tokenTtlSeconds,
      Math.floor(absoluteExpiresAtMs / 1000),
    ),
  };
}

/**
 * The retry window of the session's generation in milliseconds, counted from its rotation: as configured, never more than a
 * third of the life of the token that a replay would hand out again.
 */
export function retryWindowMs(session: Session, policy: LifetimePolicy): number {
  const tokenLifeSeconds = session.tokenExpiresAtSeconds - tokenIssuedAtSeconds(session);
  return Math.min(policy.refreshRetrySeconds * 1000, (tokenLifeSeconds * 1000) / 3);
}

/**
 * Decides what to do with a genuine refresh token of generation `presented` (design, section 3).
 * `nowMs` is the store's time. The caller has already checked the token's proof.
 */
export function decideRotation(
  session: Session,
  presented: number,
  nowMs: number,
  policy: LifetimePolicy,
): RotationDecision {
  if (!isLive(session, nowMs)) return { kind: 'ended' };
  if (presented < session.generation) {
    const retried =
      presented === session.generation - 1 &&
      nowMs - session.refreshedAtMs < retryWindowMs(session, policy);
    return { kind: retried ? 'replay' : 'reuse' };
  }
  const lifetime = lifetimeFrom(nowMs, session.absoluteExpiresAtMs, policy);
  // In the last second before the absolute limit there is no whole second left to put into a token.
  if (lifetime.tokenExpiresAtSeconds <= Math.floor(nowMs / 1000)) return { kind: 'ended' };
  return {
    kind: 'rotate',
    next: { ...lifetime, generation: presented + 1 },
    recovered: presented > session.generation,
  };
}
