// Owns the caller: who is behind an API key, what it may do, and where.

import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { covers, type Scope } from '../sessions/scope.ts';
import type { Place } from '../sessions/session.ts';
import { ProblemError } from './problem.ts';

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
  readonly id: string;
  readonly permissions: ReadonlySet<Permission>;
  readonly scope: Scope;
}

/** The caller behind an API key, undefined if there is none. May reject with Outage once keys live in the store. */
export type Authenticate = (apiKey: string) => Promise<Caller | undefined>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route of the protected scope. */
    caller: Caller;
  }
  interface FastifyContextConfig {
    /** What a caller needs to use the route. */
    permission?: Permission;
    /** Media types of a body besides application/json. */
    mediaTypes?: readonly string[];
  }
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/** Authenticates against keys known from the configuration, comparing digests of equal length in constant time. */
export function authenticateConfigured(
  keys: readonly { readonly key: string; readonly caller: Caller }[],
): Authenticate {
  const known = keys.map(({ key, caller }) => ({ keyDigest: digest(key), caller }));
  return async (apiKey) => {
    const given = digest(apiKey);
    let found: Caller | undefined;
    for (const { keyDigest, caller } of known)
      if (timingSafeEqual(keyDigest, given)) found = caller;
    return found;
  };
}

const BEARER = /^bearer ([\x21-\x7e]+)$/i;

/** Sets `request.caller`, or rejects with ProblemError `unauthenticated`, or `forbidden` without the route's permission. */
export function requireCaller(authenticate: Authenticate): onRequestAsyncHookHandler {
  return async (request) => {
    const apiKey = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const caller = apiKey === undefined ? undefined : await authenticate(apiKey);
    if (caller === undefined) {
      throw new ProblemError('unauthenticated', 'Send a valid API key as a bearer credential.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    const { permission } = request.routeOptions.config;
    // A route of the protected scope without a permission is open to nobody.
    if (permission === undefined || !caller.permissions.has(permission)) {
      throw new ProblemError('forbidden', 'The API key lacks the permission for this call.');
    }
    request.caller = caller;
  };
}

/** Rejects with `forbidden` if the place lies outside the caller's scope, whether or not anything exists there. */
export function requireScope({ caller }: FastifyRequest, place: Place): void {
  if (!covers(caller.scope, place)) {
    throw new ProblemError('forbidden', 'The API key does not cover this product and environment.');
  }
}

/**
 * Rejects with `forbidden` if nothing of the product lies in the caller's scope; with `all environments`, if not all of it does.
 */
export function requireProduct(
  { caller }: FastifyRequest,
  product: string,
  extent?: 'all environments',
): void {
  const { scope } = caller;
  if (!covers(scope, { product, env: scope.env ?? '' })) {
    throw new ProblemError('forbidden', 'The API key does not cover this product.');
  }
  if (extent !== undefined && scope.env !== undefined) {
    throw new ProblemError('forbidden', 'The API key does not cover all environments.');
  }
}
