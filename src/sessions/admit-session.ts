// Owns what the type of a tag has to say before a session starts.

import { claimsFaults, projectClaims } from './claims.ts';
import { Refusal } from './errors.ts';
import type { JsonObject, Locator } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import type { TypePolicy } from './session-type.ts';

/** What the tag's type makes of a start. */
export interface Admission {
  readonly policy: TypePolicy;
  /** Of the first token; undefined if there are none. */
  readonly claims: JsonObject | undefined;
}

/** Asks the type in force. Rejects with Refusal `session_type_required` or `invalid_details`, or Outage. */
export async function admitSession(
  deps: SessionDeps,
  { product, tag, details }: Pick<Locator, 'product' | 'tag'> & { readonly details: JsonObject },
): Promise<Admission> {
  const policy = await deps.types.policyFor(product, tag);
  if (deps.types.required && !policy.typed) throw new Refusal({ code: 'session_type_required' });
  const projection = projectClaims(details, policy.claims);
  const faults = [...policy.checkDetails(details), ...claimsFaults(projection)];
  if (faults.length > 0) throw new Refusal({ code: 'invalid_details', faults });
  return { policy, claims: projection.claims };
}
