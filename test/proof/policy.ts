// Owns what the contract says of who may do what (design, section 2), written down once more and independently of the service.

export interface Cell {
  readonly credential: { readonly good: boolean };
  readonly permissions: readonly string[];
  readonly scope: {
    readonly product?: string;
    readonly env?: string;
    readonly tags?: readonly string[];
  };
  readonly endpoint: { readonly permission: string; readonly does: Deed };
  /** Of the session, user or token that the call is about. */
  readonly object: 'live' | 'ended' | 'absent';
}

export type Deed =
  | 'start'
  | 'refresh'
  | 'verify'
  | 'revoke by token'
  | 'revoke by refresh token'
  | 'read'
  | 'read user'
  | 'change'
  | 'delete'
  | 'erase'
  | 'list'
  | 'list users'
  | 'delete of user'
  | 'metrics'
  | 'make key'
  | 'list keys'
  | 'read key'
  | 'delete key'
  | 'rotate key'
  | 'put type'
  | 'delete type'
  | 'read type'
  | 'list types'
  | 'check type';

/** Where all objects are. */
export const PLACE = { product: 'my-app', env: 'prd' };
const TAG = 'user-session';

/** Calls that speak of all tags at once. */
const OF_ALL_TAGS: readonly Deed[] = ['list users', 'read user', 'erase', 'delete of user'];

/** `status`, and the problem's code, its reason or the verdict, as far as there is one. */
export function expected({ credential, permissions, scope, endpoint, object }: Cell): string {
  if (!credential.good) return '401 unauthenticated';
  if (!permissions.includes(endpoint.permission)) return '403 forbidden';
  const tagged = scope.tags?.includes(TAG) ?? true;
  const within =
    (scope.product ?? PLACE.product) === PLACE.product &&
    (scope.env ?? PLACE.env) === PLACE.env &&
    tagged;
  switch (endpoint.does) {
    // Speak of no product.
    case 'metrics':
    case 'list keys':
      return '200';
    // Nobody hands on more than it has; what is asked for reaches all of another product.
    case 'make key':
      return Object.keys(scope).length === 0 ? '201' : '403 forbidden';
    case 'read key':
    case 'rotate key':
      return '404 api_key_not_found';
    case 'delete key':
      return '204';
    // A token from outside the scope is what garbage is: no token at all.
    case 'verify':
      if (!within || object === 'absent') return '200 invalid';
      return object === 'live' ? '200 valid' : '200 ended';
    case 'refresh':
      if (!within || object === 'absent') return '400 invalid_refresh_token invalid';
      return object === 'live' ? '200' : '400 invalid_refresh_token ended';
    case 'revoke by token':
      return within && object !== 'absent' ? '204' : '400 invalid_request';
    case 'revoke by refresh token':
      return within && object !== 'absent' ? '204' : '400 invalid_refresh_token invalid';
  }
  // A type holds in all environments: a key of one environment reads it, and may not change it.
  const ofProduct = (scope.product ?? PLACE.product) === PLACE.product && tagged;
  switch (endpoint.does) {
    case 'put type':
      if (!ofProduct || scope.env !== undefined) return '403 forbidden';
      // Of the three objects the first is put anew: the type is removed again further down.
      return object === 'live' ? '201' : '200';
    case 'delete type':
      return ofProduct && scope.env === undefined ? '204' : '403 forbidden';
    case 'read type':
      if (!ofProduct) return '403 forbidden';
      return scope.env === undefined ? '200' : '404 session_type_not_found';
    case 'list types':
      return ofProduct && scope.tags === undefined ? '200' : '403 forbidden';
  }
  // The rest name their place, which the scope must cover whether or not anything is there.
  if (!within || (scope.tags && OF_ALL_TAGS.includes(endpoint.does))) return '403 forbidden';
  switch (endpoint.does) {
    case 'start':
      return '201';
    case 'delete':
    case 'erase':
      return '204';
    case 'read':
    case 'change':
      return object === 'live' ? '200' : '404 session_not_found';
    // A user outlives its sessions.
    case 'read user':
      return object === 'absent' ? '404 user_not_found' : '200';
    default:
      return '200';
  }
}
