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
    close: () => store.close(),
  };
});

describe('a memory store full of claims on idempotency keys', () => {
  it('refuses one more as an outage, changes and frees those that it has, and forgets none before its time', async () => {
    const clock = createManualClock();
    const store = createMemoryStore({
      nowMs: clock.wallMs,
      maxSessions: 2,
      userRetentionMs: RETENTION_MS,
    });
    await store.claim('first', 'a', 1_000);
    clock.advance(500);
    await store.claim('second', 'b', 1_000);
    await expect(store.claim('third', 'c', 1_000)).rejects.toThrow(Outage);
    expect(await store.claim('first', 'x', 1_000)).toEqual({ text: 'a', mine: false });
    expect(await store.replaceClaim('second', 'b', 'b, written')).toBe(true);
    clock.advance(501);
    expect(await store.claim('third', 'c', 1_000)).toEqual({ text: 'c', mine: true });
    expect(await store.claim('second', 'x', 1_000)).toEqual({ text: 'b, written', mine: false });
    await expect(store.claim('fourth', 'd', 1_000)).rejects.toThrow(Outage);
    await store.replaceClaim('third', 'c', undefined);
    expect((await store.claim('fourth', 'd', 1_000)).mine).toBe(true);
  });

  it('forbids no more sessions than it could hold', async () => {
    const { wallMs: nowMs } = createManualClock();
    const store = createMemoryStore({ nowMs, maxSessions: 1, userRetentionMs: RETENTION_MS });
    const [one, other] = [sampleSession(), sampleSession()];
    expect(await store.forbid(one)).toBe(true);
    expect(await store.forbid(one)).toBe(true);
    await expect(store.forbid(other)).rejects.toThrow(Outage);
  });
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
