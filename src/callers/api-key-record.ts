// Owns what is kept of an API key: what it may do, hashes of its secrets, and which of them open it.

import type { Scope } from '../sessions/scope.ts';
import { isSecretOf } from './api-key.ts';
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
  /** Secrets of before, the newest first, each good until its overlap ends. */
  readonly previous?: readonly PreviousSecret[] | undefined;
}

export interface PreviousSecret {
  readonly secretHash: string;
  readonly untilMs: number;
}

export const encodeRecord = (record: ApiKeyRecord): string => JSON.stringify(record);
export const decodeRecord = (text: string): ApiKeyRecord => JSON.parse(text) as ApiKeyRecord;

export const isExpired = ({ expiresAtMs }: ApiKeyRecord, nowMs: number): boolean =>
  expiresAtMs !== undefined && nowMs >= expiresAtMs;

/** Whether the secret opens this key now. */
export const opens = (record: ApiKeyRecord, secret: string, nowMs: number): boolean =>
  isSecretOf(secret, record.secretHash) ||
  (record.previous ?? []).some(
    ({ secretHash, untilMs }) => nowMs < untilMs && isSecretOf(secret, secretHash),
  );

/** Previous secrets that a key remembers: enough for a rotation that was sent again after a lost answer. */
const MAX_PREVIOUS = 4;

/**
 * The record with a new secret. The one before, and those whose overlap has not ended, stay good for the overlap and no longer:
 * a rotation sent again must not lock out who holds the secret that was in use, and an overlap of 0 ends them all.
 */
export function withSecret(
  { previous = [], ...record }: ApiKeyRecord,
  secretHash: string,
  nowMs: number,
  overlapMs: number,
): ApiKeyRecord {
  const untilMs = nowMs + overlapMs;
  const kept = [{ secretHash: record.secretHash, untilMs }, ...previous]
    .map((each) => ({ ...each, untilMs: Math.min(each.untilMs, untilMs) }))
    .filter((each) => each.untilMs > nowMs);
  // The newest and the oldest: what lies between was made by rotations whose answers nobody may have got, the oldest is in use.
  if (kept.length > MAX_PREVIOUS) kept.splice(MAX_PREVIOUS - 1, kept.length - MAX_PREVIOUS);
  return { ...record, secretHash, ...(kept.length > 0 ? { previous: kept } : {}) };
}

export const callerOf = (record: ApiKeyRecord): Caller => ({
  id: record.id,
  permissions: new Set(record.permissions),
  scope: record.scope,
  allowedCidrs: record.allowedCidrs,
  requestsPerMinute: record.requestsPerMinute,
  expiresAtMs: record.expiresAtMs,
});
