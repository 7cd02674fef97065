// Owns the heart of refresh: what a presented generation means, as a pure function of the session, the time and the policy.

import { isLive, type Session, tokenIssuedAtSeconds } from './session.ts';

/** Lengths of life, all in seconds. */
export interface LifetimePolicy {
  readonly tokenTtlSeconds: number;
  readonly idleTtlSeconds: number;
  readonly absoluteTtlSeconds: number;
  /** How long after a rotation its predecessor is answered with the same successor. */
  readonly refreshRetrySeconds: number;
  /** Keeps the retry window open, however long it takes, until the successor was seen. */
  readonly retryUntilUsed?: boolean;
  /** The largest part of a token's life that may be cut off by chance, 0 to 0.25: tokens made together do not expire together. */
  readonly tokenTtlJitter?: number;
}

/** What one start or rotation settles about a session. */
export interface Lifetime {
  readonly refreshedAtMs: number;
  readonly expiresAtMs: number;
  readonly tokenExpiresAtSeconds: number;
}

/** The new generation; all that was remembered of the one before is gone. */
export interface Rotated extends Lifetime {
  readonly generation: number;
  readonly successorSeen: false | undefined;
  readonly renewed: undefined;
}

export interface Renewed extends Lifetime {
  readonly renewed: true;
}

export type RotationDecision =
  /** The session moves on. `recovered`: the store had lost rotations that this token proves. */
  | { readonly kind: 'rotate'; readonly next: Rotated; readonly recovered: boolean }
  /** The answer to this token was given before; give the same again. */
  | { readonly kind: 'replay' }
  /** The same, but the token given before has expired: it gets new times, once. */
  | { readonly kind: 'renew'; readonly next: Renewed }
  /** A token that its holder had already replaced: somebody else has it too. */
  | { readonly kind: 'reuse' }
  | { readonly kind: 'ended' };

/** The life of one token: `chance`, from 0 up to 1, decides how much of the jitter is cut off. Never less than a second. */
const tokenTtlSeconds = (policy: LifetimePolicy, chance: number): number =>
  Math.max(1, Math.ceil(policy.tokenTtlSeconds * (1 - (policy.tokenTtlJitter ?? 0) * chance)));

/** The lifetime that a start or rotation at `nowMs` gives: nothing of it lies beyond the absolute limit. */
export function lifetimeFrom(
  nowMs: number,
  absoluteExpiresAtMs: number,
  policy: LifetimePolicy,
  chance = 0,
): Lifetime {
  return {
    refreshedAtMs: nowMs,
    expiresAtMs: Math.min(nowMs + policy.idleTtlSeconds * 1000, absoluteExpiresAtMs),
    tokenExpiresAtSeconds: Math.min(
      Math.floor(nowMs / 1000) + tokenTtlSeconds(policy, chance),
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

/** Whether the predecessor of the session's generation may still be answered with it. */
function mayRetry(session: Session, nowMs: number, policy: LifetimePolicy): boolean {
  // What was rotated while the type asked for it stays open; once the type no longer does, the plain window counts again.
  const unused = policy.retryUntilUsed === true && session.successorSeen === false;
  // New times do not open the plain window anew: it was counted from the rotation, and is long over.
  const inWindow =
    !session.renewed && nowMs - session.refreshedAtMs < retryWindowMs(session, policy);
  return unused || inWindow;
}

/**
 * Decides what to do with a genuine refresh token of generation `presented` (design, section 3).
 * `nowMs` is the store's time, `chance` a random number from 0 up to 1. The caller has already checked the token's proof.
 */
export function decideRotation(
  session: Session,
  presented: number,
  nowMs: number,
  policy: LifetimePolicy,
  chance = 0,
): RotationDecision {
  if (!isLive(session, nowMs)) return { kind: 'ended' };
  if (presented < session.generation) {
    const retried = presented === session.generation - 1 && mayRetry(session, nowMs, policy);
    if (!retried) return { kind: 'reuse' };
    const tokenExpired = nowMs >= session.tokenExpiresAtSeconds * 1000;
    if (!tokenExpired || session.renewed) return { kind: 'replay' };
  }
  const lifetime = lifetimeFrom(nowMs, session.absoluteExpiresAtMs, policy, chance);
  // In the last second before the absolute limit there is no whole second left to put into a token.
  if (lifetime.tokenExpiresAtSeconds <= Math.floor(nowMs / 1000)) return { kind: 'ended' };
  if (presented < session.generation) {
    return { kind: 'renew', next: { ...lifetime, renewed: true } };
  }
  return {
    kind: 'rotate',
    next: {
      ...lifetime,
      generation: presented + 1,
      successorSeen: policy.retryUntilUsed ? false : undefined,
      renewed: undefined,
    },
    recovered: presented > session.generation,
  };
}
