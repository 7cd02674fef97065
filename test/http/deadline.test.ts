// Owns the promise that an answer comes within 2 s however slow the store is, at every step of a request.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp } from '../support/test-app.ts';
import { call, expectProblem, START } from './api.ts';

const ANSWERED_MS = 2000;

/** The same store; everything asked of it takes so long. */
const slowed = <T extends object>(store: T, ms: () => number): T =>
  new Proxy(store, {
    get: (target, name) => {
      const member = target[name as keyof T];
      return typeof member !== 'function'
        ? member
        : async (...args: unknown[]) => {
            await sleep(ms());
            return member(...args);
          };
    },
  });

it.each([
  ['knowing the caller takes as long as it may, and the operation for ever', 350, 10_000],
  ['knowing the caller takes for ever', 10_000, 0],
  ['every step takes its time', 190, 600],
])('an answer comes within 2 s when %s', async (_what, keyMs, storeMs) => {
  let [delayKeys, delayStore] = [0, 0];
  const clock = createManualClock();
  const documents = createMemoryDocuments(10);
  const memory = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 10,
    userRetentionMs: RETENTION_MS,
  });
  const { app } = await createTestApp({
    clock,
    keyStore: slowed(documents, () => delayKeys),
    store: slowed<SessionStore>(memory, () => delayStore),
    failuresPerMinute: 5,
  });
  const made = await call(app, 'POST', '/api-keys', {
    body: { name: 'backend', permissions: ['issue'], requestsPerMinute: 100 },
  });
  const { key } = made.json<{ key: string }>();
  [delayKeys, delayStore] = [keyMs, storeMs];
  const headers = { 'idempotency-key': 'once' };
  const startedMs = performance.now();
  expectProblem(
    await call(app, 'POST', '/sessions', { key, body: START, headers }),
    'store_unavailable',
  );
  expect(performance.now() - startedMs).toBeLessThan(ANSWERED_MS);
  [delayKeys, delayStore] = [0, 0];
  await app.close();
});
