// Owns an application whose stores tell what was written: the proof that a refusal changes nothing.

import { LAST_USES } from '../../src/callers/last-uses.ts';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import { MAX_API_KEYS, MAX_TYPES } from '../../src/stores/limits.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import {
  createManualClock,
  createTestApp,
  type TestApp,
  type TestAppOptions,
} from '../support/test-app.ts';

export interface WatchedApp extends TestApp {
  readonly keyStore: DocumentStore;
  /** Names of the writing operations on sessions, types and API keys so far, whatever they did. */
  readonly writes: string[];
}

/** Which operations write; one that is added to a port does not compile without its word here. */
const SESSIONS: Readonly<Record<keyof SessionStore, 'reads' | 'writes'>> = {
  describe: 'reads',
  now: 'reads',
  create: 'writes',
  read: 'reads',
  replace: 'writes',
  remove: 'writes',
  confirm: 'reads',
  listUser: 'reads',
  listTag: 'reads',
  removeUser: 'writes',
  readUser: 'reads',
  listUsers: 'reads',
  countActivity: 'reads',
  eraseUser: 'writes',
  readClaim: 'reads',
  claim: 'writes',
  replaceClaim: 'writes',
  forbid: 'writes',
  readRing: 'reads',
  replaceRing: 'writes',
  close: 'reads',
};
const DOCUMENTS: Readonly<Record<keyof DocumentStore, 'reads' | 'writes'>> = {
  readDocument: 'reads',
  listDocuments: 'reads',
  replaceDocument: 'writes',
  removeDocument: 'writes',
};

/** The store, telling of each call of an operation that writes before it is done. */
function watched<Store extends object>(
  store: Store,
  kinds: Readonly<Record<keyof Store, 'reads' | 'writes'>>,
  tell: (operation: string, firstArgument: unknown) => void,
): Store {
  return new Proxy(store, {
    get(target, name) {
      const operation = name as keyof Store & string;
      const found: unknown = target[operation];
      if (kinds[operation] !== 'writes' || typeof found !== 'function') return found;
      return (...given: unknown[]): unknown => {
        tell(operation, given[0]);
        return Reflect.apply(found, target, given);
      };
    },
  });
}

export async function createWatchedApp(
  options: Pick<TestAppOptions, 'callers'> = {},
): Promise<WatchedApp> {
  const clock = createManualClock();
  const memory = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 10_000,
    userRetentionMs: RETENTION_MS,
  });
  const writes: string[] = [];
  const tell = (operation: string, collection: unknown) => {
    // That a key was used is noted even where it was refused.
    if (collection !== LAST_USES) writes.push(operation);
  };
  const store = watched(memory, SESSIONS, tell);
  const typeStore = watched(createMemoryDocuments(MAX_TYPES), DOCUMENTS, tell);
  const keyStore = watched(createMemoryDocuments(MAX_API_KEYS), DOCUMENTS, tell);
  const made = await createTestApp({ ...options, clock, store, typeStore, keyStore });
  // The first ring of signing keys was nobody's request.
  writes.length = 0;
  return { ...made, keyStore, writes };
}
