// Owns what a store must promise that has servers behind it: nothing left on them, nothing misread, an honest outage while they hang.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import type { RedisClient } from '../../src/stores/redis/connect.ts';
import { sessionKey } from '../../src/stores/redis/keys.ts';
import { RETENTION_MS, rewritten, sampleSession, sibling } from '../support/sessions.ts';
import type { StoreUnderTest } from './store-conformance.ts';

export interface Backend {
  /** A connection beside the store's. */
  readonly direct: RedisClient;
  countKeys(): Promise<number>;
  /** All servers hang: their connections stay open, and nothing is answered. */
  freeze(): void;
  thaw(): void;
}

const MANY = { perUser: 100 };
/** Users are kept in parts, each until its last user is forgotten and up to two hours more. */
const PART_MS = 2 * 3_600_000;

export function describeBackend(
  name: string,
  open: () => Promise<StoreUnderTest & { readonly backend: Backend }>,
): void {
  describe(`what stands behind the ${name} store`, () => {
    let at: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      at = await open();
    });
    afterAll(() => at?.close());

    it('is as it was when all sessions were removed or have expired, and their users are forgotten', async () => {
      const { store, backend } = at;
      expect(await backend.countKeys()).toBe(0);
      const one = sampleSession({ createdAtMs: await store.now() });
      const [two, three] = [sibling(one, { tag: 'other-tag' }), sibling(one)];
      for (const each of [one, two, three]) await store.create(each, MANY);
      const later = rewritten(three, { expiresAtMs: three.expiresAtMs + 50_000 });
      expect(await store.replace(three, later)).toBe('replaced');
      await store.remove(one);
      await store.remove(two);
      expect(await backend.countKeys()).toBeGreaterThan(3);
      await at.advance(later.expiresAtMs + 1 + RETENTION_MS + PART_MS - (await store.now()));
      expect((await store.read(three)).session).toBeUndefined();
      await expect.poll(() => backend.countKeys(), { timeout: 15_000 }).toBe(0);
    });

    it('may hold a record of an unknown version: an outage, never an absent session, and left alone', async () => {
      const { store, backend } = at;
      const one = sampleSession({ createdAtMs: await store.now() });
      await store.create(one, MANY);
      const key = sessionKey(one);
      const later = Buffer.from((await backend.direct.getBuffer(key)) ?? '');
      later[0] = 2;
      await backend.direct.set(key, later, 'KEEPTTL');
      await expect(store.read(one)).rejects.toThrow(Outage);
      await expect(store.listUser({ ...one, limit: 5 })).rejects.toThrow(Outage);
      expect(await store.replace(one, one)).toBe('stale');
      expect(await backend.direct.getBuffer(key)).toEqual(later);
    });

    it('may hang: an outage within 1.5 s, and all there again within 3 s', async () => {
      const { store, backend } = at;
      const one = sampleSession({ createdAtMs: await store.now() });
      await store.create(one, MANY);
      const read = () =>
        store.read(one).then(
          ({ session }) => (session ? 'found' : 'absent'),
          (error: unknown) => (error instanceof Outage ? 'outage' : 'defect'),
        );
      backend.freeze();
      const startedMs = performance.now();
      expect(await read()).toBe('outage');
      expect(performance.now() - startedMs).toBeLessThan(1500);
      backend.thaw();
      await expect.poll(read, { timeout: 3000 }).toBe('found');
    });
  });
}
