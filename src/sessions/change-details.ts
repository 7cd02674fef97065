// Owns the change of a live session's details: read, change, replace if unchanged, else read again.

import { claimsFaults, projectClaims } from './claims.ts';
import { type Deadline, untilAnswered } from './deadline.ts';
import { type Fault, Outage, Refusal } from './errors.ts';
import { readSession } from './list-sessions.ts';
import { mergePatch } from './merge-patch.ts';
import { type JsonObject, type Locator, REVISION_BYTES, type Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import type { TypePolicy } from './session-type.ts';
import type { Versions } from './session-types.ts';
import { sessionVersion } from './session-version.ts';

/** Refreshes of the session at the same time make a round in vain; so many of them are no coincidence. */
const MAX_ROUNDS = 8;

export interface DetailsChange {
  /** JSON Merge Patch (RFC 7396) of the details. */
  readonly patch: JsonObject;
  /** Versions of which the session must have one; undefined for no condition. */
  readonly ifMatch?: Versions | undefined;
}

/** Whoever changes the details is there to mend them: they must fit the type, and the next token. */
const faultsOf = (deps: SessionDeps, details: JsonObject, policy: TypePolicy): readonly Fault[] => [
  ...deps.judgeDetails(details),
  ...policy.checkDetails(details),
  ...claimsFaults(projectClaims(details, policy.claims)),
];

/**
 * Changes the details of a live session, and nothing else of it: neither its times nor its tokens. Rejects with Refusal
 * `session_not_found`, `precondition_failed` or `invalid_details`, or Outage.
 */
export async function changeDetails(
  deps: SessionDeps,
  locator: Locator,
  { patch, ifMatch = 'any' }: DetailsChange,
  deadline: Deadline,
): Promise<Session> {
  return untilAnswered('change details', MAX_ROUNDS, deadline, async (round) => {
    const session = await readSession(deps, locator);
    if (ifMatch !== 'any' && !ifMatch.includes(sessionVersion(session))) {
      // After a lost reply it may be this very change that made the difference.
      if (round > 0) throw new Outage('change details: the session moved on meanwhile');
      throw new Refusal({ code: 'precondition_failed' });
    }
    const details = mergePatch(session.details, patch) as JsonObject;
    const policy = await deps.types.policyFor(session.product, session.tag);
    const faults = faultsOf(deps, details, policy);
    if (faults.length > 0) throw new Refusal({ code: 'invalid_details', faults });
    const next = { ...session, details, revision: deps.randomBytes(REVISION_BYTES) };
    if ((await deps.store.replace(session, next)) === 'stale') return undefined;
    const { product, env, tag, sessionId } = session;
    deps.emit({ name: 'session_details_changed', product, env, tag, sessionId });
    return next;
  });
}
