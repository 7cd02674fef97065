// Owns refresh: read, decide, replace if unchanged, else read again.

import { drawChance } from './ambient.ts';
import { projectClaims } from './claims.ts';
import { type Deadline, untilAnswered } from './deadline.ts';
import { Outage, Refusal, type RefusalReason } from './errors.ts';
import type { SessionEventName } from './events.ts';
import { provesGeneration } from './proof.ts';
import { openRefreshToken, type PresentedRefreshToken } from './refresh-token.ts';
import { decideRotation, type Renewed, type Rotated } from './rotation.ts';
import { covers, type Scope } from './scope.ts';
import { type ClientFacts, REVISION_BYTES, type Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import type { TypePolicy } from './session-type.ts';
import { makeTokenPair, type TokenPair } from './token-pair.ts';

/** A loser of a race finds the winner's successor at its next read; more rounds than this mean that something else is wrong. */
const MAX_ROUNDS = 8;

export interface RefreshedPair extends TokenPair {
  readonly outcome: 'rotated' | 'replayed';
}

export interface RefreshInput {
  readonly refreshToken: string;
  /** Replaces what is known of the client if the session moves on. */
  readonly client?: ClientFacts | undefined;
  /** Whether the caller is still there for the answer; absent: it is. */
  readonly isAwaited?: () => boolean;
}

const refuse = (reason: RefusalReason): Refusal =>
  new Refusal({ code: 'invalid_refresh_token', reason });

const emitAbout = (deps: SessionDeps, name: SessionEventName, session: Session): void => {
  const { product, env, tag, sessionId } = session;
  deps.emit({ name, product, env, tag, sessionId });
};

/** Replaces the session by its changed form; undefined if somebody else was faster. */
async function rewrite(
  deps: SessionDeps,
  session: Session,
  change: Rotated | Renewed,
): Promise<Session | undefined> {
  const next: Session = { ...session, ...change, revision: deps.randomBytes(REVISION_BYTES) };
  return (await deps.store.replace(session, next)) === 'replaced' ? next : undefined;
}

/** Replaces the session by its next generation, with the claims that the type in force asks for. */
async function rotate(
  deps: SessionDeps,
  session: Session,
  rotated: Rotated,
  policy: TypePolicy,
  client: ClientFacts | undefined,
): Promise<Session | undefined> {
  const { claims, dropped } = projectClaims(session.details, policy.claims);
  const next = await rewrite(
    deps,
    { ...session, claims, client: client ?? session.client },
    rotated,
  );
  // A live session goes on, with a token that says less.
  if (next && dropped.length > 0) emitAbout(deps, 'session_claims_dropped', session);
  return next;
}

/**
 * Ends the session of a token that its holder had replaced before, if that was so when this call first looked, in time and for somebody
 * who waits. A later look proves nothing: while this call lost a race or a reply, or stood in a queue until its caller gave up, the same
 * holder may have been answered elsewhere and gone on from there.
 */
async function endAsStolen(deps: SessionDeps, session: Session, proven: boolean): Promise<never> {
  if (!proven) throw new Outage('refresh: an old token, but no proof of a theft');
  await deps.store.remove(session);
  emitAbout(deps, 'session_refresh_reused', session);
  throw refuse('reused');
}

/** One round: the answer, or undefined if the session changed between reading and writing. `isProof`: whether what it finds now can prove a theft. */
async function refreshOnce(
  deps: SessionDeps,
  presented: PresentedRefreshToken,
  client: ClientFacts | undefined,
  isProof: () => boolean,
): Promise<RefreshedPair | undefined> {
  const { session, nowMs } = await deps.storeClock.learn(() => deps.store.read(presented.locator));
  if (session === undefined) throw refuse('ended');
  if (!provesGeneration(session, presented.generation, presented.proof)) throw refuse('invalid');
  const policy = await deps.types.policyFor(session.product, session.tag);
  const chance = policy.tokenTtlJitter > 0 ? drawChance(deps.randomBytes) : 0;
  const decision = decideRotation(session, presented.generation, nowMs, policy, chance);
  switch (decision.kind) {
    case 'rotate': {
      // Replicas that are missing must be missed before the session moves on: one that did, and could not say so, would spend its
      // retry window on an answer that never came (ADR 19).
      if (!(await deps.store.confirm(session, session))) return undefined;
      const rotated = await rotate(deps, session, decision.next, policy, client);
      if (rotated === undefined) return undefined;
      if (decision.recovered) emitAbout(deps, 'session_rotation_recovered', session);
      emitAbout(deps, 'session_refreshed', session);
      return { ...(await makeTokenPair(deps, rotated)), outcome: 'rotated' };
    }
    case 'replay':
      // The rotation may have been written by a call that never learned whether it was safe.
      if (!(await deps.store.confirm(session, session))) return undefined;
      emitAbout(deps, 'session_refresh_replayed', session);
      return { ...(await makeTokenPair(deps, session)), outcome: 'replayed' };
    case 'renew': {
      const renewed = await rewrite(deps, session, decision.next);
      if (renewed === undefined) return undefined;
      emitAbout(deps, 'session_refresh_replayed', session);
      return { ...(await makeTokenPair(deps, renewed)), outcome: 'replayed' };
    }
    case 'reuse':
      return endAsStolen(deps, session, isProof());
    case 'ended':
      throw refuse('ended');
  }
}

/**
 * Answers a refresh token with the one pair that succeeds it. Rejects with Refusal `invalid_refresh_token` (`invalid`: not
 * ours or out of scope, nothing was touched; `ended`; `reused`: the session was ended), or Outage.
 */
export async function refreshSession(
  deps: SessionDeps,
  scope: Scope,
  { refreshToken, client, isAwaited = () => true }: RefreshInput,
  deadline: Deadline,
): Promise<RefreshedPair> {
  const presented = await openRefreshToken(deps.refreshTokenSealer, refreshToken);
  if (presented === undefined || !covers(scope, presented.locator)) throw refuse('invalid');
  return untilAnswered('refresh', MAX_ROUNDS, deadline, (round) =>
    refreshOnce(deps, presented, client, () => round === 0 && !deadline.passed && isAwaited()),
  );
}
