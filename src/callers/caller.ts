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
}

/** The caller behind an API key, undefined if there is none. Rejects with Outage if the store cannot tell. */
export type Authenticate = (apiKey: string) => Promise<Caller | undefined>;

/** Whether a caller holds everything that these permissions and this scope would give: nobody hands on more than it has. */
export function holds(
  { permissions, scope }: Caller,
  given: { readonly permissions: readonly Permission[]; readonly scope: Scope },
): boolean {
  const { product, env, tags } = given.scope;
  return (
    given.permissions.every((each) => permissions.has(each)) &&
    (scope.product === undefined || scope.product === product) &&
    (scope.env === undefined || scope.env === env) &&
    (scope.tags === undefined || tags?.every((tag) => scope.tags?.includes(tag)) === true)
  );
}
