// Owns how a request proves its caller, and what it may reach then.

import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { isWithin } from '../callers/address-range.ts';
import type { Authenticate, Caller, Permission } from '../callers/caller.ts';
import { covers } from '../sessions/scope.ts';
import type { Place } from '../sessions/session.ts';
import { ProblemError } from './problem.ts';

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

const BEARER = /^bearer ([\x21-\x7e]+)$/i;

/** Called with each request that was refused for its key; may throw another refusal. */
export type OnRefusedKey = (request: FastifyRequest) => Promise<void>;

/** Why this caller may not use the route, if it may not. */
function callerFault(request: FastifyRequest, caller: Caller): ProblemError | undefined {
  const { permission } = request.routeOptions.config;
  // A route of the protected scope without a permission is open to nobody.
  if (permission === undefined || !caller.permissions.has(permission)) {
    return new ProblemError('forbidden', 'The API key lacks the permission for this call.');
  }
  if (caller.allowedCidrs !== undefined && !isWithin(caller.allowedCidrs, request.ip)) {
    return new ProblemError('forbidden', 'The API key may not be used from this address.');
  }
  return undefined;
}

/** Sets `request.caller`, or ends with ProblemError `unauthenticated`, or `forbidden` without the route's permission. */
export function requireCaller(
  authenticate: Authenticate,
  onRefusedKey: OnRefusedKey,
): onRequestHookHandler {
  async function refuse(request: FastifyRequest): Promise<never> {
    await onRefusedKey(request);
    throw new ProblemError('unauthenticated', 'Send a valid API key as a bearer credential.', {
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
  return (request, _reply, done) => {
    const apiKey = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const admit = (caller: Caller | undefined) => {
      if (caller === undefined) return void refuse(request).catch(done);
      request.caller = caller;
      done(callerFault(request, caller));
    };
    const caller = apiKey === undefined ? undefined : authenticate(apiKey);
    // Not async: what is known at once need not wait for a promise.
    if (caller instanceof Promise) caller.then(admit, done);
    else admit(caller);
  };
}

/** Rejects with `forbidden` if the place, and the tag if there is one, lies outside the caller's scope, whether or not anything exists there. */
export function requireScope(
  { caller }: FastifyRequest,
  { product, env, tag }: Place & { readonly tag?: string | undefined },
): void {
  if (!covers(caller.scope, { product, env, tag })) {
    throw new ProblemError('forbidden', 'The API key does not cover this part of the hierarchy.');
  }
}

/** Rejects with `forbidden` unless the caller reaches everything: what it asks for tells of all products. */
export function requireWholeScope({ caller }: FastifyRequest): void {
  if (Object.values(caller.scope).some((part) => part !== undefined)) {
    throw new ProblemError('forbidden', 'The API key covers a part of the hierarchy only.');
  }
}

/** Rejects with `forbidden` without this permission, besides that of the route. */
export function requirePermission({ caller }: FastifyRequest, permission: Permission): void {
  if (!caller.permissions.has(permission)) {
    throw new ProblemError('forbidden', `The API key lacks the permission \`${permission}\`.`);
  }
}

/**
 * Rejects with `forbidden` if nothing of the product, or of its tag if one is meant, lies in the caller's scope; with
 * `all environments`, if not all of it does.
 */
export function requireProduct(
  { caller }: FastifyRequest,
  { product, tag }: { readonly product: string; readonly tag?: string },
  extent?: 'all environments',
): void {
  const { scope } = caller;
  if (!covers(scope, { product, env: scope.env ?? '', tag })) {
    throw new ProblemError('forbidden', 'The API key does not cover this product and tag.');
  }
  if (extent !== undefined && scope.env !== undefined) {
    throw new ProblemError('forbidden', 'The API key does not cover all environments.');
  }
}
