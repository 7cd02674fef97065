// Owns what is kept of an API key: what it may do, and hashes of its secrets.

import type { Scope } from '../sessions/scope.ts';
import type { Caller, Permission } from './caller.ts';

/** Times in milliseconds since the epoch, by the store. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly scope: Scope;
  readonly expiresAtMs?: number | undefined;
  readonly allowedCidrs?: readonly string[] | undefined;
  readonly requestsPerMinute?: number | undefined;
  readonly createdAtMs: number;
  readonly secretHash: string;
  /** The secret before the last rotation, good until its overlap ends. */
  readonly previous?: { readonly secretHash: string; readonly untilMs: number } | undefined;
}

export const encodeRecord = (record: ApiKeyRecord): string => JSON.stringify(record);
export const decodeRecord = (text: string): ApiKeyRecord => JSON.parse(text) as ApiKeyRecord;

export const isExpired = ({ expiresAtMs }: ApiKeyRecord, nowMs: number): boolean =>
  expiresAtMs !== undefined && nowMs >= expiresAtMs;

export const callerOf = (record: ApiKeyRecord): Caller => ({
  id: record.id,
  permissions: new Set(record.permissions),
  scope: record.scope,
  allowedCidrs: record.allowedCidrs,
  requestsPerMinute: record.requestsPerMinute,
});
