// Owns what the contract says of who may do what (design, section 2), written down once more and independently of the service.

/** `live`, `ended` and `absent`: in the place that is asked for. `foreign`: somebody else's, asked for as if it were there. */
type Thing = 'live' | 'ended' | 'absent' | 'foreign';

export interface Cell {
  readonly credential: { readonly good: boolean };
  readonly permissions: readonly string[];
  readonly scope: {
    readonly product?: string;
    readonly env?: string;
    readonly tags?: readonly string[];
  };
  readonly endpoint: { readonly permission: string; readonly does: Deed };
  /** Of the session, user, token or key that the call is about. */
  readonly object: Thing;
}

/** Where all objects are, but those of somebody else. */
export const PLACE = { product: 'my-app', env: 'prd' };
export const ELSEWHERE = 'shop';
const TAG = 'user-session';

/** What a call must reach: nothing, its place, all tags of its place, a type, all of a type, all types, a key, more than anybody gives. */
type Reach = 'nothing' | 'place' | 'all tags' | 'type' | 'whole type' | 'all types' | 'key' | 'all';
type Answers = string | Partial<Record<Thing | 'else', string>>;
interface Rule {
  readonly reach: Reach;
  readonly within: Answers;
  /** 403 unless it says something else. */
  readonly beyond?: string;
}

const refused = '400 invalid_refresh_token invalid';
const noSession = { live: '200', else: '404 session_not_found' };
const noKey = '404 api_key_not_found';
const rules = {
  start: { reach: 'place', within: '201' },
  // A token from outside the scope is what garbage is: no token at all.
  refresh: {
    reach: 'place',
    within: { live: '200', ended: '400 invalid_refresh_token ended', else: refused },
    beyond: refused,
  },
  verify: {
    reach: 'place',
    within: { live: '200 valid', ended: '200 ended', else: '200 invalid' },
    beyond: '200 invalid',
  },
  'revoke by token': {
    reach: 'place',
    within: { live: '204', ended: '204', else: '400 invalid_request' },
    beyond: '400 invalid_request',
  },
  'revoke by refresh token': {
    reach: 'place',
    within: { live: '204', ended: '204', else: refused },
    beyond: refused,
  },
  read: { reach: 'place', within: noSession },
  change: { reach: 'place', within: noSession },
  delete: { reach: 'place', within: '204' },
  list: { reach: 'place', within: '200' },
  // Under a tag, who is limited to tags may ask as well.
  'list users of a tag': { reach: 'place', within: '200' },
  'delete of user under a tag': { reach: 'place', within: '200' },
  'list users': { reach: 'all tags', within: '200' },
  'delete of user': { reach: 'all tags', within: '200' },
  // A user outlives its sessions.
  'read user': {
    reach: 'all tags',
    within: { live: '200', ended: '200', else: '404 user_not_found' },
  },
  erase: { reach: 'all tags', within: '204' },
  // A type holds in all environments: a key of one reads it, and may not change it. Of the objects the first puts it anew.
  'put type': { reach: 'whole type', within: { live: '201', else: '200' } },
  'delete type': { reach: 'whole type', within: '204' },
  'read type': { reach: 'type', within: '200' },
  'list types': { reach: 'all types', within: '200' },
  'check type': { reach: 'place', within: '200' },
  // Nobody hands on more than it has; what is asked for reaches all of another product.
  'make key': { reach: 'all', within: '201' },
  'list keys': { reach: 'nothing', within: '200' },
  // A key that reaches further than one's own is absent.
  'read key': { reach: 'key', within: { live: '200', foreign: '200', else: noKey }, beyond: noKey },
  'rotate key': {
    reach: 'key',
    within: { live: '200', foreign: '200', else: noKey },
    beyond: noKey,
  },
  'delete key': { reach: 'key', within: '204', beyond: '204' },
  metrics: { reach: 'all', within: '200' },
} as const satisfies Record<string, Rule>;

export type Deed = keyof typeof rules;

/** Whether the caller reaches what the call is about. */
function reaches({ scope, permissions, object }: Cell, reach: Reach): boolean {
  const { product = PLACE.product, env = PLACE.env, tags } = scope;
  const tagged = tags?.includes(TAG) ?? true;
  switch (reach) {
    case 'nothing':
      return true;
    case 'all':
      return Object.keys(scope).length === 0;
    case 'type':
      return product === PLACE.product && tagged;
    case 'whole type':
      return product === PLACE.product && tagged && scope.env === undefined;
    case 'all types':
      return product === PLACE.product && tags === undefined;
    case 'key':
      // The keys may verify: one of the place, one of all of another product.
      if (!permissions.includes('verify') || tags !== undefined) return false;
      if (object !== 'foreign') return product === PLACE.product && env === PLACE.env;
      return (scope.product ?? ELSEWHERE) === ELSEWHERE && scope.env === undefined;
    default:
      return (
        product === PLACE.product &&
        env === PLACE.env &&
        tagged &&
        (reach === 'place' || tags === undefined)
      );
  }
}

/** `status`, and the problem's code, its reason or the verdict, as far as there is one. */
export function expected(cell: Cell): string {
  const { credential, permissions, scope, endpoint, object } = cell;
  if (!credential.good) return '401 unauthenticated';
  if (!permissions.includes(endpoint.permission)) return '403 forbidden';
  // What a proposed schema says of details, it tells.
  if (endpoint.does === 'check type' && !permissions.includes('read')) return '403 forbidden';
  const rule: Rule = rules[endpoint.does];
  if (!reaches(cell, rule.reach)) return rule.beyond ?? '403 forbidden';
  // Where the type could not be put, there is none to be read.
  if (endpoint.does === 'read type' && scope.env !== undefined) return '404 session_type_not_found';
  if (typeof rule.within === 'string') return rule.within;
  return rule.within[object] ?? rule.within.else ?? '';
}
