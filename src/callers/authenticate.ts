// Owns the answer to "whose key is this?": keys of the configuration first, then those in the store, through a cache whose age is bounded.

import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../sessions/ambient.ts';
import { withDeadline } from '../sessions/deadline.ts';
import type { DocumentStore } from '../sessions/document-store.ts';
import type { StoreClock } from '../sessions/store-clock.ts';
import { createTextCache } from '../sessions/text-cache.ts';
import { type ApiKeyText, parseApiKey } from './api-key.ts';
import { type ApiKeyRecord, callerOf, decodeRecord, isExpired, opens } from './api-key-record.ts';
import type { Authenticate, Caller } from './caller.ts';
import { createUseRecorder } from './last-uses.ts';

/** Name of the collection: records by the id of the key. */
export const KEYS = 'api-keys';

/** For everything it takes to know a caller. With it the limiter (100 ms) and the operation (1,300 ms) have 2 s (invariant I7). */
const DEADLINE_MS = 400;

/** A key that the configuration names, and who is behind it. */
export interface ConfiguredKey {
  readonly key: string;
  readonly caller: Caller;
}

/** Authenticates against keys known from the configuration, in constant time (how long one is, is no secret); asks `others` for the rest. */
export function authenticateConfigured(
  keys: readonly ConfiguredKey[],
  others: Authenticate,
): Authenticate {
  const known = keys.map(({ key, caller }) => ({ bytes: Buffer.from(key), caller }));
  return (apiKey) => {
    const given = Buffer.from(apiKey);
    let found: Caller | undefined;
    for (const { bytes, caller } of known) {
      if (bytes.length === given.length && timingSafeEqual(bytes, given)) found = caller;
    }
    return found ?? others(apiKey);
  };
}

export interface AuthenticateDeps {
  readonly store: DocumentStore;
  readonly storeClock: StoreClock;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Authenticates against the keys in the store: a revocation is seen within 4 s, an expiry at once. Rejects with Outage. */
export function authenticateStored(deps: AuthenticateDeps): Authenticate & {
  /** Forgets what is known of a key: it was changed here. */
  readonly forget: (id: string) => void;
} {
  const read = (collection: string, id: string) =>
    withDeadline(deps.store.readDocument(collection, id), DEADLINE_MS, 'read api key');
  const make = (text: string | undefined) => (text === undefined ? undefined : decodeRecord(text));
  const recordUse = createUseRecorder(
    deps.store,
    deps.clock,
    async (id) => (await read(KEYS, id)) !== undefined,
  );
  const cache = createTextCache<ApiKeyRecord | undefined>({ read, make, clock: deps.clock });

  /** The key if it is good and the secret is its own. What is cached may not know a secret that another instance made a moment ago. */
  async function find({ id, secret }: ApiKeyText, nowMs: number) {
    const known = await cache.get(KEYS, id);
    if (known === undefined || isExpired(known, nowMs)) return undefined;
    if (opens(known, secret, nowMs)) return known;
    const fresh = make(await read(KEYS, id));
    if (fresh === undefined || isExpired(fresh, nowMs) || !opens(fresh, secret, nowMs)) return;
    cache.forget(KEYS, id);
    return fresh;
  }

  async function identify(given: ApiKeyText): Promise<Caller | undefined> {
    const nowMs = await deps.storeClock.now();
    const record = await find(given, nowMs);
    if (record === undefined) return undefined;
    recordUse(record.id, nowMs);
    return callerOf(record);
  }

  const authenticate: Authenticate = (apiKey) => {
    const given = parseApiKey(apiKey);
    return given && withDeadline(identify(given), DEADLINE_MS, 'authenticate');
  };
  return Object.assign(authenticate, { forget: (id: string) => cache.forget(KEYS, id) });
}
