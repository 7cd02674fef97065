// Owns the rule of what part of the hierarchy a caller may act in.

import type { Place } from './session.ts';

/** An absent member means "any". */
export interface Scope {
  readonly product?: string;
  readonly env?: string;
  readonly tags?: readonly string[];
}

/**
 * Whether a caller of this scope may act in this product, environment and tag, whether or not anything exists there. Who is
 * limited to tags acts under one of them, and not in a place as a whole.
 */
export const covers = (
  scope: Scope,
  place: Place & { readonly tag?: string | undefined },
): boolean =>
  (scope.product === undefined || scope.product === place.product) &&
  (scope.env === undefined || scope.env === place.env) &&
  (scope.tags === undefined || (place.tag !== undefined && scope.tags.includes(place.tag)));
