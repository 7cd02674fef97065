// Owns the start under an idempotency key: the same key, caller and body give one session, whatever is lost on the way (ADR 15).
//
// The claim on the key lies in a slot of its own and names the session before it exists: claim, session, mark, answer. Who finds
// a claim without a session waits a moment for the one who made it, then makes sure that this session can never appear, and
// names another. The mark tells a session that was ended from one that was never made.

import { hash } from 'node:crypto';
import { type Admission, admitSession } from './admit-session.ts';
import { drawChance } from './ambient.ts';
import { canonicalJson } from './canonical-json.ts';
import { type Deadline, untilAnswered } from './deadline.ts';
import { Outage, Refusal } from './errors.ts';
import type { Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import { createSession, emitStart, type StartedPair, type StartInput } from './start-session.ts';
import { makeTokenPair } from './token-pair.ts';

export interface IdempotentStart extends StartInput {
  /** What the caller calls this start. */
  readonly key: string;
}

interface Claim {
  readonly fingerprint: string;
  readonly sessionId: string;
  /** Set once the session was written: if it is not there then, it has ended. */
  readonly written: boolean;
  readonly evicted: readonly string[];
}

/** How long a key is remembered, and longer than the first token lives: as long as that is good, the key stands for its session. */
const REMEMBERED_MS = 24 * 3600 * 1000;
const LONGER_THAN_TOKEN_MS = 60_000;
/** How often, and how far apart, the session of somebody else's claim is looked for before the claim is taken over. */
const LOOKS = 20;
const LEAST_PAUSE_MS = 5;
const MOST_PAUSE_MS = 25;
const MAX_ROUNDS = 64;

/** Equal values have equal digests, in whatever order their members were sent. */
const digest = (...parts: readonly unknown[]): string =>
  hash('sha256', canonicalJson(parts), 'buffer').toString('base64url');

const encode = (claim: Claim): string => JSON.stringify(claim);

/** The first pair of a session again, as long as it is what the key stands for; undefined if it has changed since it was read. */
async function answerAgain(
  deps: SessionDeps,
  session: Session,
  nowMs: number,
  evicted: readonly string[],
): Promise<StartedPair | undefined> {
  if (session.generation > 0 || nowMs >= session.tokenExpiresAtSeconds * 1000) {
    throw new Refusal({ code: 'idempotency_key_expired' });
  }
  // It may have been written by a call that never learned whether it was safe.
  if (!(await deps.store.confirm(session, session))) return undefined;
  return { ...(await makeTokenPair(deps, session)), evicted };
}

/**
 * One look at a claim that somebody else made; undefined if there is nothing to answer yet. Whoever made the session is about to mark the
 * claim, and to say there whom it evicted; `last` takes the session as it is, for its maker may have died before that.
 */
async function followClaim(
  deps: SessionDeps,
  input: IdempotentStart,
  name: string,
  text: string,
  last: boolean,
): Promise<StartedPair | undefined> {
  const claim = JSON.parse(text) as Claim;
  const { session, nowMs } = await deps.storeClock.learn(() =>
    deps.store.read({ ...input, sessionId: claim.sessionId }),
  );
  if (session === undefined) {
    if (claim.written) throw new Refusal({ code: 'idempotency_key_expired' });
    return undefined;
  }
  if (!claim.written) {
    if (!last) return undefined;
    // Before the mark: a session that is lost again without ever having been safe must not use up the key.
    if (!(await deps.store.confirm(session, session))) return undefined;
    await deps.store.replaceClaim(name, text, encode({ ...claim, written: true }));
  }
  return answerAgain(deps, session, nowMs, claim.evicted);
}

/** Makes the session that the caller's own claim names; undefined if somebody else has written to the claim since. */
async function honourClaim(
  deps: SessionDeps,
  input: IdempotentStart,
  name: string,
  text: string,
  admission: Admission,
): Promise<StartedPair | undefined> {
  const claim = JSON.parse(text) as Claim;
  const { session, creation } = await createSession(deps, input, admission, claim.sessionId);
  const { outcome, evicted } = creation;
  if (outcome === 'taken') return undefined;
  if (outcome !== 'created') {
    await deps.store.replaceClaim(name, text, undefined);
    throw outcome === 'limit_reached'
      ? new Refusal({ code: 'session_limit_reached' })
      : new Outage('start: the clock of the store does not stand still');
  }
  emitStart(deps, session, evicted);
  const marked = { ...claim, written: true, evicted };
  return (await deps.store.replaceClaim(name, text, encode(marked)))
    ? { ...(await makeTokenPair(deps, session)), evicted }
    : undefined;
}

/** Throws Refusal `idempotency_key_reused` if the claim is on another body. */
function requireSameBody(text: string, fingerprint: string): Claim {
  const claim = JSON.parse(text) as Claim;
  if (claim.fingerprint !== fingerprint) throw new Refusal({ code: 'idempotency_key_reused' });
  return claim;
}

/** The first pair again if the key was claimed by a start that was admitted once; undefined if there is none. Writes nothing. */
async function answerClaimed(
  deps: SessionDeps,
  input: IdempotentStart,
  name: string,
  fingerprint: string,
): Promise<StartedPair | undefined> {
  const text = await deps.store.readClaim(name);
  if (text === undefined) return undefined;
  const { written } = requireSameBody(text, fingerprint);
  const pair = await followClaim(deps, input, name, text, true);
  // There was a first answer; what it was is known once the primaries agree.
  if (pair === undefined && written) throw new Outage('start: the session of its key has changed');
  return pair;
}

const rememberedMs = ({ policy }: Admission): number =>
  Math.max(REMEMBERED_MS, policy.tokenTtlSeconds * 1000 + LONGER_THAN_TOKEN_MS);

/** Claims the key, and honours the claim or follows whoever was first. */
async function claimAndStart(
  deps: SessionDeps,
  input: IdempotentStart,
  name: string,
  fingerprint: string,
  admission: Admission,
  deadline: Deadline,
): Promise<StartedPair> {
  const propose = async (): Promise<string> =>
    encode({
      fingerprint,
      sessionId: deps.newSessionId(input, await deps.storeClock.now()),
      written: false,
      evicted: [],
    });
  let watched = '';
  let looks = 0;
  return untilAnswered('start', MAX_ROUNDS, deadline, async () => {
    const { text, mine } = await deps.store.claim(name, await propose(), rememberedMs(admission));
    const claim = requireSameBody(text, fingerprint);
    // Each claim gets its time: whoever took over from a dead one is at work now.
    if (text !== watched) looks = 0;
    watched = text;
    const last = looks++ >= LOOKS;
    const pair = await (mine
      ? honourClaim(deps, input, name, text, admission)
      : followClaim(deps, input, name, text, last));
    if (pair !== undefined) return pair;
    if (!last) {
      // By chance, so that many who wait for one do not all come back at the same moment.
      const spread = drawChance(deps.randomBytes) * (MOST_PAUSE_MS - LEAST_PAUSE_MS);
      await deps.pause(LEAST_PAUSE_MS + spread);
    } else if (
      !claim.written &&
      (await deps.store.forbid({ ...input, sessionId: claim.sessionId }))
    ) {
      // From here on the claim is free for the next who asks.
      await deps.store.replaceClaim(name, text, undefined);
    }
    return undefined;
  });
}

/**
 * Starts a session once for each key of a caller. Rejects with Refusal `idempotency_key_reused` (the key came with another body),
 * `idempotency_key_expired` (its session was refreshed, has ended, or its first token has expired), those of a start, or Outage.
 * A start that is refused leaves nothing behind.
 */
export async function startOnce(
  deps: SessionDeps,
  input: IdempotentStart,
  deadline: Deadline,
): Promise<StartedPair> {
  const { key, ...start } = input;
  const name = digest(start.clientId, key);
  const fingerprint = digest(start);
  const admitted = await admitSession(deps, start).catch((error: unknown) => {
    if (error instanceof Refusal) return error;
    throw error;
  });
  if (!(admitted instanceof Refusal)) {
    return claimAndStart(deps, input, name, fingerprint, admitted, deadline);
  }
  // The type may have changed since the first answer, which is still the answer.
  const pair = await answerClaimed(deps, input, name, fingerprint);
  if (pair === undefined) throw admitted;
  return pair;
}
