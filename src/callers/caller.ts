// Owns the caller: who is behind an API key, what it may do, and where.

import type { Scope } from '../sessions/scope.ts';

export const PERMISSIONS = [
  'issue',
  'refresh',
  'verify',
  'revoke',
  'read',
  'metrics',
  'admin',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export interface Caller {
  /** The `client_id` of the tokens of its sessions. */
  readonly id: string;
  readonly permissions: ReadonlySet<Permission>;
  readonly scope: Scope;
  /** Addresses and ranges it may call from; absent: from anywhere. */
  readonly allowedCidrs?: readonly string[] | undefined;
  readonly requestsPerMinute?: number | undefined;
  /** Milliseconds since the epoch, by the store. */
  readonly expiresAtMs?: number | undefined;
}

/** What a key gives. */
export interface Grant extends Pick<Caller, 'allowedCidrs' | 'requestsPerMinute' | 'expiresAtMs'> {
  readonly permissions: readonly Permission[];
  readonly scope: Scope;
}

const isAtMost = (given: number | undefined, own: number | undefined): boolean =>
  own === undefined || (given !== undefined && given <= own);

const isAmong = (
  given: readonly string[] | undefined,
  own: readonly string[] | undefined,
): boolean => own === undefined || given?.every((each) => own.includes(each)) === true;

/** The caller behind an API key, undefined if there is none. Rejects with Outage if the store cannot tell. */
export type Authenticate = (apiKey: string) => Caller | undefined | Promise<Caller | undefined>;

/** Whether a caller holds everything that this would give: nobody hands on more than it has, nor for longer, from elsewhere or more often. */
export function holds(caller: Caller, given: Grant): boolean {
  const { permissions, scope } = caller;
  const { product, env, tags } = given.scope;
  return (
    given.permissions.every((each) => permissions.has(each)) &&
    (scope.product === undefined || scope.product === product) &&
    (scope.env === undefined || scope.env === env) &&
    isAmong(tags, scope.tags) &&
    isAmong(given.allowedCidrs, caller.allowedCidrs) &&
    isAtMost(given.requestsPerMinute, caller.requestsPerMinute) &&
    isAtMost(given.expiresAtMs, caller.expiresAtMs)
  );
}
