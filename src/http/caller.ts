// Owns how a request proves its caller, and what it may reach then.

import { BlockList, isIPv6 } from 'node:net';
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
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

/** Lists of addresses are made once for each list there is; a cached record of a key has one list as long as it lives. */
const blockLists = new WeakMap<readonly string[], BlockList>();

function blockListOf(cidrs: readonly string[]): BlockList {
  const known = blockLists.get(cidrs);
  if (known !== undefined) return known;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefix] = cidr.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  blockLists.set(cidrs, list);
  return list;
}

/** Whether an address lies in one of the ranges. An IPv4 address may come as IPv6 writes it. */
export function isWithin(cidrs: readonly string[], ip: string): boolean {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '');
  return blockListOf(cidrs).check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Called with each request that was refused for its key; may throw another refusal. */
export type OnRefusedKey = (request: FastifyRequest) => Promise<void>;

/** Sets `request.caller`, or rejects with ProblemError `unauthenticated`, or `forbidden` without the route's permission. */
export function requireCaller(
  authenticate: Authenticate,
  onRefusedKey: OnRefusedKey,
): onRequestAsyncHookHandler {
  return async (request) => {
    const apiKey = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const caller = apiKey === undefined ? undefined : await authenticate(apiKey);
    if (caller === undefined) {
      await onRefusedKey(request);
      throw new ProblemError('unauthenticated', 'Send a valid API key as a bearer credential.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    const { permission } = request.routeOptions.config;
    // A route of the protected scope without a permission is open to nobody.
    if (permission === undefined || !caller.permissions.has(permission)) {
      throw new ProblemError('forbidden', 'The API key lacks the permission for this call.');
    }
    if (caller.allowedCidrs !== undefined && !isWithin(caller.allowedCidrs, request.ip)) {
      throw new ProblemError('forbidden', 'The API key may not be used from this address.');
    }
    request.caller = caller;
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
