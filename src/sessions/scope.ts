// Owns the rule of what part of the hierarchy a caller may act in.

import type { Place } from './session.ts';

/** An absent member means "any". */
export interface Scope {
  readonly product?: string;
  readonly env?: string;
}

/** Whether a caller of this scope may act in this product and environment, whether or not anything exists there. */
export const covers = (scope: Scope, place: Place): boolean =>
  (scope.product === undefined || scope.product === place.product) &&
  (scope.env === undefined || scope.env === place.env);
