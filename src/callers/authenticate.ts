// Owns the answer to "whose key is this?": keys of the configuration first, then those in the store, through a cache whose age is bounded.

import { hash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../sessions/ambient.ts';
import { withDeadline } from '../sessions/deadline.ts';
import type { DocumentStore } from '../sessions/document-store.ts';
import type { StoreClock } from '../sessions/store-clock.ts';
import { createTextCache } from '../sessions/text-cache.ts';
import { isSecretOf, parseApiKey } from './api-key.ts';
import { type ApiKeyRecord, callerOf, decodeRecord, isExpired } from './api-key-record.ts';
import type { Authenticate, Caller } from './caller.ts';

/** Names of the collections. */
export const KEYS = 'api-keys';
export const LAST_USES = 'api-key-uses';

const DEADLINE_MS = 500;
/** The last use of a key is written down once in this time by each instance. */
const USE_WRITTEN_EVERY_MS = 60_000;
const MAX_USES = 4_096;

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

export interface AuthenticateDeps {
  readonly store: DocumentStore;
  readonly storeClock: StoreClock;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Whether the secret opens this key now. */
const opens = (record: ApiKeyRecord, secret: string, nowMs: number): boolean =>
  isSecretOf(secret, record.secretHash) ||
  (record.previous !== undefined &&
    nowMs < record.previous.untilMs &&
    isSecretOf(secret, record.previous.secretHash));

/** Writes last uses down: coarse, in the background, and nobody's request depends on it. */
function createUseRecorder({ store, clock }: AuthenticateDeps) {
  const writtenAtMs = new Map<string, number>();
  return (id: string, nowMs: number): void => {
    const last = writtenAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
    if (clock.monotonicMs() - last < USE_WRITTEN_EVERY_MS) return;
    if (writtenAtMs.size >= MAX_USES) writtenAtMs.clear();
    writtenAtMs.set(id, clock.monotonicMs());
    const write = async () => {
      const current = await store.readDocument(LAST_USES, id);
      await store.replaceDocument(LAST_USES, id, current, String(nowMs));
    };
    write().catch(() => undefined);
  };
}

/** Authenticates against the keys in the store: a revocation is seen within 4 s, an expiry at once. Rejects with Outage. */
export function authenticateStored(deps: AuthenticateDeps): Authenticate & {
  /** Forgets what is known of a key: it was changed here. */
  readonly forget: (id: string) => void;
} {
  const recordUse = createUseRecorder(deps);
  const cache = createTextCache<ApiKeyRecord | undefined>({
    read: (collection, id) =>
      withDeadline(deps.store.readDocument(collection, id), DEADLINE_MS, 'read api key'),
    make: (text) => (text === undefined ? undefined : decodeRecord(text)),
    clock: deps.clock,
  });
  const authenticate: Authenticate = async (apiKey) => {
    const given = parseApiKey(apiKey);
    if (given === undefined) return undefined;
    const record = await cache.get(KEYS, given.id);
    if (record === undefined) return undefined;
    const nowMs = await deps.storeClock.now();
    if (isExpired(record, nowMs) || !opens(record, given.secret, nowMs)) return undefined;
    recordUse(record.id, nowMs);
    return callerOf(record);
  };
  return Object.assign(authenticate, { forget: (id: string) => cache.forget(KEYS, id) });
}

/** The first who knows the key. */
export const firstOf =
  (...all: readonly Authenticate[]): Authenticate =>
  async (apiKey) => {
    for (const authenticate of all) {
      const caller = await authenticate(apiKey);
      if (caller !== undefined) return caller;
    }
    return undefined;
  };
