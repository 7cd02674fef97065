// Owns what every store promises of claims on idempotency keys.

import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sampleSession } from '../support/sessions.ts';
import type { StoreUnderTest } from './store-conformance.ts';

const DAY_MS = 24 * 3_600_000;

export function describeClaims(opened: () => StoreUnderTest): void {
  describe('keeps claims', () => {
    const newName = () => randomBytes(8).toString('hex');

    it('for the first who asks, and shows it to the others', async () => {
      const { store, other } = opened();
      const name = newName();
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 ? store : other).claim(name, `claim ${i}`, DAY_MS),
        ),
      );
      expect(claims.filter(({ mine }) => mine)).toHaveLength(1);
      expect(new Set(claims.map(({ text }) => text)).size).toBe(1);
    });

    it('and says mine again when a claim is sent twice', async () => {
      const { store, other } = opened();
      const name = newName();
      await store.claim(name, 'mine', DAY_MS);
      expect(await other.claim(name, 'mine', DAY_MS)).toEqual({ text: 'mine', mine: true });
      expect(await other.readClaim(name)).toBe('mine');
      expect(await store.readClaim(newName())).toBeUndefined();
    });

    it('by compare-and-swap, harmless when sent twice', async () => {
      const { store } = opened();
      const name = newName();
      await store.claim(name, 'first', DAY_MS);
      expect(await store.replaceClaim(name, 'other', 'second')).toBe(false);
      expect(await store.replaceClaim(name, 'first', 'second')).toBe(true);
      expect(await store.replaceClaim(name, 'first', 'second')).toBe(true);
      expect(await store.replaceClaim(name, 'second', undefined)).toBe(true);
      expect((await store.claim(name, 'third', DAY_MS)).mine).toBe(true);
    });

    it('for their time, whether or not they were replaced meanwhile', async () => {
      const { store, advance } = opened();
      const name = newName();
      await store.claim(name, 'first', DAY_MS);
      await advance(DAY_MS - 1);
      await store.replaceClaim(name, 'first', 'second');
      expect((await store.claim(name, 'later', DAY_MS)).text).toBe('second');
      await advance(1);
      expect((await store.claim(name, 'later', DAY_MS)).text).toBe('later');
    });

    it('and forbids a session that does not exist, for as long as a start can be on its way', async () => {
      const { store, other, advance } = opened();
      const one = sampleSession({ product: newName(), createdAtMs: await store.now() });
      expect(await store.forbid(one)).toBe(true);
      expect(await other.forbid(one)).toBe(true);
      expect(await store.create(one, { perUser: 10 })).toMatchObject({ outcome: 'taken' });
      expect((await store.read(one)).session).toBeUndefined();
      expect(await store.replace(one, one)).toBe('stale');
      await advance(60_001);
      expect(await store.create(one, { perUser: 10 })).toMatchObject({ outcome: 'skewed' });
    });

    it('and never forbids a session that exists', async () => {
      const { store } = opened();
      const one = sampleSession({ product: newName(), createdAtMs: await store.now() });
      await store.create(one, { perUser: 10 });
      expect(await store.forbid(one)).toBe(false);
      expect((await store.read(one)).session).toBeDefined();
    });
  });
}
