// Owns which details become claims of a token, and how many bytes they may take there.

import type { Fault } from './errors.ts';
import { pointerStep } from './schema-rules.ts';
import type { JsonObject } from './session.ts';

/** Of all projected claims together, as JSON: a token travels with every request. */
export const MAX_CLAIMS_BYTES = 1024;

export interface Projection {
  /** Undefined if there is none. */
  readonly claims: JsonObject | undefined;
  /** Names that did not fit, the last of the type first. */
  readonly dropped: readonly string[];
}

const nothing: Projection = { claims: undefined, dropped: [] };

/** Picks the named details; drops names from the last on until the rest fits. */
export function projectClaims(details: JsonObject, names: readonly string[]): Projection {
  if (names.length === 0) return nothing;
  const kept = names.filter((name) => Object.hasOwn(details, name));
  const dropped: string[] = [];
  while (kept.length > 0) {
    const claims = Object.fromEntries(kept.map((name) => [name, details[name]]));
    if (Buffer.byteLength(JSON.stringify(claims)) <= MAX_CLAIMS_BYTES) return { claims, dropped };
    dropped.push(kept.pop() as string);
  }
  return { claims: undefined, dropped };
}

/** The dropped names as faults of the details. */
export const claimsFaults = ({ dropped }: Projection): readonly Fault[] =>
  dropped.map((name) => ({
    pointer: pointerStep(name),
    detail: `does not fit into a token: its claims may take ${MAX_CLAIMS_BYTES} bytes together`,
  }));
