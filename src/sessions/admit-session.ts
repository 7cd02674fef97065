// Owns what the type of a tag has to say before a session starts.

import { claimsFaults, projectClaims } from './claims.ts';
import { Refusal } from './errors.ts';
import type { JsonObject } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import type { TypePolicy } from './session-type.ts';

/** The claims of the first token. Throws Refusal `session_type_required` or `invalid_details`. */
export function admitSession(
  deps: SessionDeps,
  policy: TypePolicy,
  details: JsonObject,
): JsonObject | undefined {
  if (deps.types.required && !policy.typed) throw new Refusal({ code: 'session_type_required' });
  const projection = projectClaims(details, policy.claims);
  const faults = [...policy.checkDetails(details), ...claimsFaults(projection)];
  if (faults.length > 0) throw new Refusal({ code: 'invalid_details', faults });
  return projection.claims;
}
