// Owns the memory store's conformance and what is its own: its bound.

import { describe, expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS, rewritten, sampleSession } from '../support/sessions.ts';
import { createManualClock } from '../support/test-app.ts';
import { describeStore } from './store-conformance.ts';

describeStore('memory', async () => {
  const clock = createManualClock();
  const store = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 100_000,
    userRetentionMs: RETENTION_MS,
  });
  return {
    store,
    other: store,
    advance: async (ms) => clock.advance(ms),
    countKeys: async () => 0,
    close: () => store.close(),
  };
});

describe('a full memory store', () => {
  const open = (maxSessions: number) => {
    const clock = createManualClock();
    return {
      clock,
      store: createMemoryStore({ nowMs: clock.wallMs, maxSessions, userRetentionMs: RETENTION_MS }),
    };
  };

  it('refuses a start as an outage and never evicts a live session', async () => {
    const { store } = open(2);
    const first = sampleSession();
    await store.create(first, { perUser: 10 });
    await store.create(sampleSession(), { perUser: 10 });
    await expect(store.create(sampleSession(), { perUser: 10 })).rejects.toThrow(Outage);
    expect((await store.read(first)).session).toBeDefined();
  });

  it('makes room by dropping what has expired, also behind a refreshed session', async () => {
    const { clock, store } = open(3);
    const first = sampleSession();
    await store.create(first, { perUser: 10 });
    await store.create(sampleSession(), { perUser: 10 });
    await store.create(sampleSession(), { perUser: 10 });
    await store.replace(first, rewritten(first, { expiresAtMs: first.expiresAtMs + 10_000 }));
    clock.advance(3_600_000);
    expect(
      await store.create(sampleSession({ createdAtMs: clock.wallMs() }), { perUser: 10 }),
    ).toMatchObject({ outcome: 'created' });
    expect((await store.read(first)).session).toBeDefined();
  });
});
