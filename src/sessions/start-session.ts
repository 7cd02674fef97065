// Owns the start of a session.

import { type Admission, admitSession } from './admit-session.ts';
import { drawChance } from './ambient.ts';
import { Outage, Refusal } from './errors.ts';
import { lifetimeFrom } from './rotation.ts';
import {
  type ClientFacts,
  type JsonObject,
  REVISION_BYTES,
  SEED_BYTES,
  type Session,
} from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import type { Creation } from './session-store.ts';
import { makeTokenPair, type TokenPair } from './token-pair.ts';

export interface StartInput {
  readonly product: string;
  readonly env: string;
  readonly tag: string;
  readonly userId: string;
  readonly details: JsonObject;
  readonly clientId: string;
  readonly client?: ClientFacts | undefined;
}

export interface StartedPair extends TokenPair {
  /** Ids of sessions of the user that were ended to make room. */
  readonly evicted: readonly string[];
}

/** Written out member by member: spreading the parts together costs 9 µs, this a tenth of one. */
function newSession(
  deps: SessionDeps,
  input: StartInput,
  { policy, claims }: Admission,
  nowMs: number,
  sessionId: string,
): Session {
  const absoluteExpiresAtMs = nowMs + policy.absoluteTtlSeconds * 1000;
  const chance = policy.tokenTtlJitter > 0 ? drawChance(deps.randomBytes) : 0;
  const lifetime = lifetimeFrom(nowMs, absoluteExpiresAtMs, policy, chance);
  return {
    product: input.product,
    env: input.env,
    tag: input.tag,
    sessionId,
    userId: input.userId,
    details: input.details,
    clientId: input.clientId,
    seed: deps.randomBytes(SEED_BYTES),
    revision: deps.randomBytes(REVISION_BYTES),
    createdAtMs: nowMs,
    refreshedAtMs: lifetime.refreshedAtMs,
    expiresAtMs: lifetime.expiresAtMs,
    absoluteExpiresAtMs,
    generation: 0,
    tokenExpiresAtSeconds: lifetime.tokenExpiresAtSeconds,
    claims,
    epoch: 0,
    client: input.client,
  };
}

/** Says of what a start has changed, once it is known. */
export function emitStart(deps: SessionDeps, session: Session, evicted: readonly string[]): void {
  const { product, env, tag, sessionId } = session;
  deps.emit({ name: 'session_started', product, env, tag, sessionId });
  for (const each of evicted) {
    deps.emit({ name: 'session_evicted', product, env, tag, sessionId: each });
  }
}

/**
 * Records a session that was admitted, under an id of its own or the one given; once more at the time that the store tells if its clock
 * has jumped since it was last heard, or if another node of a Cluster has another.
 */
export async function createSession(
  deps: SessionDeps,
  input: StartInput,
  admission: Admission,
  sessionId?: string,
): Promise<{ readonly session: Session; readonly creation: Creation }> {
  const limits = { perUser: deps.maxSessionsPerUser, underTag: admission.policy.sessionLimit };
  const sessionAt = (nowMs: number) =>
    newSession(deps, input, admission, nowMs, sessionId ?? deps.newSessionId(input, nowMs));
  const session = sessionAt(await deps.storeClock.now());
  const creation = await deps.store.create(session, limits);
  const { nowMs } = creation;
  if (nowMs === undefined) return { session, creation };
  await deps.storeClock.learn(async () => ({ nowMs }));
  const again = sessionAt(nowMs);
  return { session: again, creation: await deps.store.create(again, limits) };
}

/**
 * Records a new session and makes its first pair. Rejects with Refusal `session_limit_reached`, `invalid_details` or
 * `session_type_required`, or Outage.
 */
export async function startSession(deps: SessionDeps, input: StartInput): Promise<StartedPair> {
  const admission = await admitSession(deps, input);
  const { session, creation } = await createSession(deps, input, admission);
  const { outcome, evicted } = creation;
  if (outcome === 'limit_reached') throw new Refusal({ code: 'session_limit_reached' });
  if (outcome === 'skewed') throw new Outage('start: the clock of the store does not stand still');
  // 128 random bits that meet are a broken generator, not bad luck.
  if (outcome === 'taken') throw new Error('a freshly drawn session id is taken');
  emitStart(deps, session, evicted);
  const { token, refreshToken } = await makeTokenPair(deps, session);
  return { token, refreshToken, session, evicted };
}
