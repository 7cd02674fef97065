// Owns the operations on API keys. Nobody gives, sees or changes a key that reaches further than its own: such a key looks absent.

import type { RandomBytes } from '../sessions/ambient.ts';
import { withDeadline } from '../sessions/deadline.ts';
import type { DocumentStore } from '../sessions/document-store.ts';
import { Outage, Refusal } from '../sessions/errors.ts';
import type { EmitEvent } from '../sessions/events.ts';
import type { StoreClock } from '../sessions/store-clock.ts';
import { formatApiKey, hashSecret, newKeyId, newSecret } from './api-key.ts';
import {
  type ApiKeyRecord,
  decodeRecord,
  encodeRecord,
  isExpired,
  withSecret,
} from './api-key-record.ts';
import { KEYS } from './authenticate.ts';
import { type Caller, holds } from './caller.ts';
import { forgetUse, LAST_USES } from './last-uses.ts';

export interface ApiKeysDeps {
  readonly store: DocumentStore;
  readonly storeClock: StoreClock;
  readonly randomBytes: RandomBytes;
  readonly emit: EmitEvent;
  /** Told of each key that was changed here. */
  readonly forget: (id: string) => void;
}

export type ApiKeyInput = Pick<
  ApiKeyRecord,
  'name' | 'permissions' | 'scope' | 'expiresAtMs' | 'allowedCidrs' | 'requestsPerMinute'
>;

/** A key and, this once, its text. */
export interface IssuedKey {
  readonly record: ApiKeyRecord;
  readonly key: string;
}

export interface ListedKey {
  readonly record: ApiKeyRecord;
  readonly lastUsedAtMs: number | undefined;
}

const DEADLINE_MS = 1300;
const MAX_ROUNDS = 8;

const notFound = () => new Refusal({ code: 'api_key_not_found' });

/** The text of a key that the caller may see. Rejects with Refusal `api_key_not_found`, or Outage. */
async function findText({ store }: ApiKeysDeps, caller: Caller, id: string): Promise<string> {
  const text = await store.readDocument(KEYS, id);
  if (text === undefined || !holds(caller, decodeRecord(text))) throw notFound();
  return text;
}

async function createKey(
  deps: ApiKeysDeps,
  caller: Caller,
  input: ApiKeyInput,
): Promise<IssuedKey> {
  if (!holds(caller, input)) throw new Refusal({ code: 'api_key_too_wide' });
  const nowMs = await deps.storeClock.now();
  const [id, secret] = [newKeyId(deps.randomBytes), newSecret(deps.randomBytes)];
  const record = { id, ...input, createdAtMs: nowMs, secretHash: hashSecret(secret) };
  if (isExpired(record, nowMs)) throw new Refusal({ code: 'api_key_expired_already' });
  const outcome = await deps.store.replaceDocument(KEYS, id, undefined, encodeRecord(record));
  if (outcome === 'full') throw new Refusal({ code: 'api_key_limit_reached' });
  if (outcome === 'stale') throw new Error('a freshly drawn key id is taken');
  deps.emit({ name: 'api_key_created', keyId: id });
  return { record, key: formatApiKey({ id, secret }) };
}

/** Changes a key until nobody was faster; `change` undefined removes it. */
async function changeKey(
  deps: ApiKeysDeps,
  caller: Caller,
  id: string,
  change: ((record: ApiKeyRecord) => ApiKeyRecord) | undefined,
): Promise<ApiKeyRecord> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const text = await findText(deps, caller, id);
    const record = decodeRecord(text);
    const next = change?.(record);
    const done =
      next === undefined
        ? await deps.store.removeDocument(KEYS, id, text)
        : (await deps.store.replaceDocument(KEYS, id, text, encodeRecord(next))) === 'replaced';
    if (done) return next ?? record;
  }
  throw new Outage('api key: it changed under every attempt');
}

async function rotateKey(
  deps: ApiKeysDeps,
  caller: Caller,
  id: string,
  overlapSeconds: number,
): Promise<IssuedKey> {
  const secret = newSecret(deps.randomBytes);
  const nowMs = await deps.storeClock.now();
  const record = await changeKey(deps, caller, id, (before) =>
    withSecret(before, hashSecret(secret), nowMs, overlapSeconds * 1000),
  );
  deps.forget(id);
  deps.emit({ name: 'api_key_rotated', keyId: id });
  return { record, key: formatApiKey({ id, secret }) };
}

async function removeKey(deps: ApiKeysDeps, caller: Caller, id: string): Promise<void> {
  try {
    await changeKey(deps, caller, id, undefined);
  } catch (error) {
    // One that is gone, or that the caller may not see, is answered alike.
    if (!(error instanceof Refusal)) throw error;
    // The attempt before may have removed the key and died before that was safe, or before it forgot the use.
    if (await deps.store.removeDocument(KEYS, id, '')) {
      deps.forget(id);
      await forgetUse(deps.store, id);
    }
    return;
  }
  deps.forget(id);
  deps.emit({ name: 'api_key_revoked', keyId: id });
  await forgetUse(deps.store, id);
}

async function readKey(deps: ApiKeysDeps, caller: Caller, id: string): Promise<ListedKey> {
  const record = decodeRecord(await findText(deps, caller, id));
  return { record, lastUsedAtMs: timeOf(await deps.store.readDocument(LAST_USES, id)) };
}

async function listKeys({ store }: ApiKeysDeps, caller: Caller): Promise<readonly ListedKey[]> {
  const [keys, uses] = await Promise.all([
    store.listDocuments(KEYS),
    store.listDocuments(LAST_USES),
  ]);
  return [...keys.values()]
    .map(decodeRecord)
    .filter((record) => holds(caller, record))
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
    .map((record) => ({ record, lastUsedAtMs: timeOf(uses.get(record.id)) }));
}

const timeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

/** All operations may reject with Outage. */
export function createApiKeys(deps: ApiKeysDeps) {
  const inTime = <T>(name: string, work: Promise<T>) => withDeadline(work, DEADLINE_MS, name);
  return {
    /** Rejects with Refusal `api_key_too_wide`, `api_key_expired_already` or `api_key_limit_reached`. */
    create: (caller: Caller, input: ApiKeyInput) =>
      inTime('create api key', createKey(deps, caller, input)),
    list: (caller: Caller) => inTime('list api keys', listKeys(deps, caller)),
    /** Rejects with Refusal `api_key_not_found`. */
    read: (caller: Caller, id: string) => inTime('read api key', readKey(deps, caller, id)),
    /** Also when there is no such key. */
    revoke: (caller: Caller, id: string) => inTime('revoke api key', removeKey(deps, caller, id)),
    /** Secrets before stay good for `overlapSeconds` at most, the last one for all of it. Rejects with Refusal `api_key_not_found`. */
    rotate: (caller: Caller, id: string, overlapSeconds: number) =>
      inTime('rotate api key', rotateKey(deps, caller, id, overlapSeconds)),
  };
}

export type ApiKeys = ReturnType<typeof createApiKeys>;
