// Owns an application whose store tells what was written: the proof that a refusal changes nothing.

import type { SessionStore } from '../../src/sessions/session-store.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import {
  createManualClock,
  createTestApp,
  type TestApp,
  type TestAppOptions,
} from '../support/test-app.ts';

export interface WatchedApp extends TestApp {
  /** Names of the writing operations on sessions so far, whatever they did. */
  readonly writes: string[];
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
  const store: SessionStore = {
    ...memory,
    claim: (...claim) => {
      writes.push('claim');
      return memory.claim(...claim);
    },
    eraseUser: (user) => {
      writes.push('eraseUser');
      return memory.eraseUser(user);
    },
    create: (session, limit) => {
      writes.push('create');
      return memory.create(session, limit);
    },
    replace: (current, next) => {
      writes.push('replace');
      return memory.replace(current, next);
    },
    remove: (session) => {
      writes.push('remove');
      return memory.remove(session);
    },
    removeUser: (removal) => {
      writes.push('removeUser');
      return memory.removeUser(removal);
    },
  };
  return { ...(await createTestApp({ ...options, clock, store })), writes };
}
