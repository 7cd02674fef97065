// Owns what a session type is: the policy of a product's tag, and what of it is in force once the service's defaults are filled in.

import { type CheckDetails, compileDetailsCheck, schemaFaults } from './details-check.ts';
import type { Fault } from './errors.ts';
import type { LifetimePolicy } from './rotation.ts';
import type { JsonObject } from './session.ts';
import type { TagLimit } from './session-store.ts';

/** As it was put, and as it is given back. Every member may be absent. */
export interface SessionType {
  readonly name?: string;
  readonly description?: string;
  readonly tokenTtlSeconds?: number;
  readonly idleTtlSeconds?: number;
  readonly absoluteTtlSeconds?: number;
  readonly refreshRetrySeconds?: number;
  /** The retry window stays open until the successor is first seen. */
  readonly retryUntilUsed?: boolean;
  readonly tokenTtlJitter?: number;
  /** JSON Schema 2020-12 of `details`. */
  readonly detailsSchema?: JsonObject;
  /** Names of details that become claims of the token. */
  readonly claims?: readonly string[];
  /** Live sessions of one user under this tag. */
  readonly maxSessionsPerUser?: number;
  readonly onLimit?: TagLimit['onLimit'];
}

/** What is in force under a tag. */
export interface TypePolicy extends LifetimePolicy {
  readonly retryUntilUsed: boolean;
  readonly tokenTtlJitter: number;
  readonly claims: readonly string[];
  /** Undefined: no limit of the tag's own. */
  readonly sessionLimit: TagLimit | undefined;
  readonly checkDetails: CheckDetails;
  /** False: the tag has no type, all of this is the service's defaults. */
  readonly typed: boolean;
}

export const MAX_CLAIMS = 16;
/** What a token says by itself, or what a verifier would take for a statement of the issuer. */
const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  ...['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp', 'nbf', 'client_id', 'product', 'env', 'tag'],
  ...['cnf', 'scope', 'auth_time', 'acr', 'amr', 'azp', 'nonce', 'typ', 'act', 'may_act', 'events'],
  ...['at_hash', 'c_hash', 'sub_id', 'txn', 'toe', 'authorization_details', 'entitlements', 'scp'],
  '__proto__',
]);

const anything: CheckDetails = () => [];

/** The service's defaults overlaid by the type. A life is never longer than the one around it, whatever the defaults have become. */
export function policyOf(type: SessionType | undefined, defaults: LifetimePolicy): TypePolicy {
  const absoluteTtlSeconds = type?.absoluteTtlSeconds ?? defaults.absoluteTtlSeconds;
  const idleTtlSeconds = Math.min(
    type?.idleTtlSeconds ?? defaults.idleTtlSeconds,
    absoluteTtlSeconds,
  );
  return {
    absoluteTtlSeconds,
    idleTtlSeconds,
    tokenTtlSeconds: Math.min(type?.tokenTtlSeconds ?? defaults.tokenTtlSeconds, idleTtlSeconds),
    refreshRetrySeconds: type?.refreshRetrySeconds ?? defaults.refreshRetrySeconds,
    retryUntilUsed: type?.retryUntilUsed ?? false,
    tokenTtlJitter: type?.tokenTtlJitter ?? 0,
    claims: type?.claims ?? [],
    sessionLimit: type?.maxSessionsPerUser
      ? { most: type.maxSessionsPerUser, onLimit: type.onLimit ?? 'reject' }
      : undefined,
    checkDetails: type?.detailsSchema ? compileDetailsCheck(type.detailsSchema) : anything,
    typed: type !== undefined,
  };
}

function lifeFaults(type: SessionType, defaults: LifetimePolicy): readonly Fault[] {
  const pairs = [
    ['tokenTtlSeconds', 'idleTtlSeconds'],
    ['idleTtlSeconds', 'absoluteTtlSeconds'],
  ] as const;
  return pairs.flatMap(([shorter, longer]) => {
    const [most, asked] = [type[longer] ?? defaults[longer], type[shorter] ?? defaults[shorter]];
    // Two defaults need no comparing: a default longer than the type's own limit is cut to it.
    if (asked <= most || type[shorter] === undefined) return [];
    return [{ pointer: `/${shorter}`, detail: `must not be more than ${longer}, ${most}` }];
  });
}

function claimFaults({ claims = [] }: SessionType): readonly Fault[] {
  return claims.flatMap((name, i) => {
    const pointer = `/claims/${i}`;
    if (RESERVED_CLAIMS.has(name)) {
      return [{ pointer, detail: 'is a name that tokens use for something else' }];
    }
    return claims.indexOf(name) < i ? [{ pointer, detail: 'is named twice' }] : [];
  });
}

/** What is wrong with a type whose members have the right form, one by one. */
export function typeFaults(type: SessionType, defaults: LifetimePolicy): readonly Fault[] {
  const inSchema = type.detailsSchema === undefined ? [] : schemaFaults(type.detailsSchema);
  return [
    ...lifeFaults(type, defaults),
    ...claimFaults(type),
    ...inSchema.map(({ pointer, detail }) => ({ pointer: `/detailsSchema${pointer}`, detail })),
  ];
}
