// Owns the one suite that every store must pass: what the port promises, at the edges and under races.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Session } from '../../src/sessions/session.ts';
import type { SessionStore, TagPosition } from '../../src/sessions/session-store.ts';
import { rewritten, sampleSession, sibling } from '../support/sessions.ts';
import type { Backend } from './backend-conformance.ts';
import { describeClaims } from './claims-conformance.ts';
import { describeUsers } from './users-conformance.ts';

export interface StoreUnderTest {
  readonly store: SessionStore;
  /** A second connection to the same data: another instance of the service. */
  readonly other: SessionStore;
  /** Moves the store's time; it stands still in between. */
  advance(ms: number): Promise<void>;
  /** What a recount of everything finds wrong; undefined where nothing is counted twice. */
  drift?(): Promise<Readonly<Record<string, number>>>;
  /** What only a store with servers behind it has; its promises are in backend-conformance.ts. */
  readonly backend?: Backend;
  close(): Promise<void>;
}

const RACERS = 100;
const LIMIT = 10_000;
/** More than any store reads at once. */
const CROWD = 2_300;

let productNumber = 0;
/** A product of its own for each test: tests share the store and never meet. */
const newProduct = () => `p${randomBytes(4).toString('hex')}-${productNumber++}`;

export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the ${name} store`, () => {
    let at: StoreUnderTest;
    let store: SessionStore;
    beforeAll(async () => {
      at = await open();
      store = at.store;
    });
    afterAll(() => at?.close());

    const session = async (over: Partial<Session> = {}): Promise<Session> =>
      sampleSession({ product: newProduct(), createdAtMs: await store.now(), ...over });
    const created = async (over: Partial<Session> = {}): Promise<Session> => {
      const one = await session(over);
      expect(await store.create(one, { perUser: LIMIT })).toMatchObject({ outcome: 'created' });
      return one;
    };
    /** Another session of the same user. */
    const createdBeside = async (one: Session, over: Partial<Session> = {}): Promise<Session> => {
      const another = sibling(one, over);
      expect(await store.create(another, { perUser: LIMIT })).toMatchObject({ outcome: 'created' });
      return another;
    };
    const find = async (one: Session) => (await store.read(one)).session;
    const plain = (one: Session | undefined) =>
      one && { ...one, seed: [...one.seed], revision: [...one.revision] };

    describe('keeps records', () => {
      it('and gives each back as it was put in, with the time of the reading', async () => {
        const one = await created({
          details: { nested: { list: [1, 'two', null, true, 0.5] }, '': 'empty', constructor: 1 },
          generation: 41,
        });
        const reading = await at.other.read(one);
        expect(plain(reading.session)).toEqual(plain(one));
        expect(reading.nowMs).toBe(await store.now());
      });

      it.each([
        ['Redis metacharacters', 'u{x}:*?[a]'],
        ['spaces and slashes', ' a/b\\c "d" '],
        ['many planes of Unicode', 'Ω≈ç√∫˜µ≤≥÷ 你好 🙂‍↔️ \u202Eabc'],
        ['a name of Object.prototype', '__proto__'],
        ['256 characters of 4 bytes', '🙂'.repeat(256)],
      ])('of users whose ids have %s', async (_what, userId) => {
        const one = await created({ userId });
        expect((await find(one))?.userId).toBe(userId);
        const page = await store.listUser({ ...one, tag: undefined, limit: 5 });
        expect(page.sessions.map(({ userId: id }) => id)).toEqual([userId]);
        expect(await store.removeUser({ product: one.product, env: one.env, userId })).toBe(1);
        expect(await find(one)).toBeUndefined();
      });

      it('under names that look like separators', async () => {
        const one = await created({ env: 'a.b-c_d', tag: 'T-1._x' });
        expect((await find(one))?.tag).toBe('T-1._x');
      });

      it('apart from whatever the caller does to its own copy', async () => {
        const details = { list: [1] };
        const one = await created({ details });
        details.list.push(2);
        const first = await find(one);
        (first?.details as { list: number[] } | undefined)?.list.push(3);
        first?.seed.fill(0);
        expect(plain(await find(one))).toEqual(plain({ ...one, details: { list: [1] } }));
      });

      it('of one id once: a second session under a taken id is refused', async () => {
        const one = await created();
        expect(
          await store.create(rewritten(one, { details: { other: 1 } }), { perUser: LIMIT }),
        ).toMatchObject({ outcome: 'taken' });
        expect((await find(one))?.details).toEqual(one.details);
      });

      it('and says created again when a create is sent twice', async () => {
        const one = await created();
        expect(await at.other.create(one, { perUser: 1 })).toMatchObject({ outcome: 'created' });
      });

      it("of the present: one that claims another time than the store's is refused", async () => {
        for (const offMs of [-5001, 5001]) {
          const one = await session({ createdAtMs: (await store.now()) + offMs });
          expect(await store.create(one, { perUser: LIMIT })).toMatchObject({ outcome: 'skewed' });
          expect(await find(one)).toBeUndefined();
        }
        await created({ createdAtMs: (await store.now()) - 5000 });
      });

      it('up to the limit of a user, and one more once one has ended', async () => {
        const one = await created();
        const fresh = () => sibling(one);
        expect(await store.create(fresh(), { perUser: 2 })).toMatchObject({ outcome: 'created' });
        expect(await store.create(fresh(), { perUser: 2 })).toMatchObject({
          outcome: 'limit_reached',
        });
        expect(await store.remove(one)).toBe(true);
        expect(await store.create(fresh(), { perUser: 2 })).toMatchObject({ outcome: 'created' });
      });
    });

    describe('replaces by compare-and-swap', () => {
      it('what has not changed since it was read', async () => {
        const one = await created();
        const next = rewritten(one, { generation: 1, expiresAtMs: one.expiresAtMs + 1000 });
        expect(await store.replace(one, next)).toBe('replaced');
        expect(plain(await find(one))).toEqual(plain(next));
      });

      it('and refuses what has', async () => {
        const one = await created();
        const next = rewritten(one, { generation: 1 });
        await store.replace(one, next);
        expect(await store.replace(one, rewritten(one, { generation: 9 }))).toBe('stale');
        expect((await find(one))?.generation).toBe(1);
      });

      it('and says replaced again when the same replace is sent twice', async () => {
        const one = await created();
        const next = rewritten(one, { generation: 1 });
        expect(await store.replace(one, next)).toBe('replaced');
        expect(await at.other.replace(one, next)).toBe('replaced');
      });

      it('and never brings back a session that is gone', async () => {
        const one = await created();
        await store.remove(one);
        expect(await store.replace(one, rewritten(one))).toBe('stale');
        expect(await find(one)).toBeUndefined();
      });

      it('and refuses a rotation that arrives when nobody waits for it any more, but not a change of details', async () => {
        const one = await created();
        const rotated = rewritten(one, {
          generation: 1,
          refreshedAtMs: (await store.now()) + 1,
          expiresAtMs: one.expiresAtMs + 1,
        });
        const changed = rewritten(one, { details: { changed: true } });
        await at.advance(2002);
        expect(await store.replace(one, rotated)).toBe('stale');
        expect(plain(await find(one))).toEqual(plain(one));
        expect(await store.replace(one, changed)).toBe('replaced');
      });

      it('with exactly one winner among 100 racers over two connections, ten times', async () => {
        for (let round = 0; round < 10; round++) {
          const one = await created();
          const outcomes = await Promise.all(
            Array.from({ length: RACERS }, (_, i) =>
              (i % 2 ? store : at.other).replace(one, rewritten(one, { generation: i + 1 })),
            ),
          );
          expect(outcomes.filter((outcome) => outcome === 'replaced')).toHaveLength(1);
          expect((await find(one))?.generation).toBe(outcomes.indexOf('replaced') + 1);
        }
      });
    });

    describe('ends sessions', () => {
      it.each([
        [-1, 'alive'],
        [0, 'gone'],
        [1, 'gone'],
      ])('by time: %i ms after its expiry a session is %s', async (offsetMs, expected) => {
        const one = await created();
        await at.advance(one.expiresAtMs - (await store.now()) + offsetMs);
        const gone = expected === 'gone';
        expect((await find(one)) === undefined).toBe(gone);
        expect(await store.replace(one, rewritten(one))).toBe(gone ? 'stale' : 'replaced');
        const page = await store.listUser({ ...one, limit: 5 });
        expect(page.sessions).toHaveLength(gone ? 0 : 1);
      });

      it('by removal, once; to remove again is to find nothing', async () => {
        const one = await created();
        expect(await store.remove(one)).toBe(true);
        expect(await at.other.remove(one)).toBe(false);
        expect(await find(one)).toBeUndefined();
        expect(await store.confirm(one, undefined)).toBe(true);
      });

      it('of a user, of one tag or all, but for one', async () => {
        const one = await created();
        const chat = await createdBeside(one, { tag: 'support-chat' });
        const kept = await createdBeside(one);
        const stranger = await created({ product: one.product, userId: 'user_2' });
        const { product, env, userId } = one;
        expect(await store.removeUser({ product, env, userId, tag: 'support-chat' })).toBe(1);
        expect(await find(chat)).toBeUndefined();
        expect(await store.removeUser({ product, env, userId, except: kept.sessionId })).toBe(1);
        expect(await find(one)).toBeUndefined();
        expect(await find(kept)).toBeDefined();
        expect(await find(stranger)).toBeDefined();
        expect(await store.removeUser({ product, env, userId: 'nobody' })).toBe(0);
      });

      it('of a user for two who ask at once, each counted once', async () => {
        const one = await created();
        for (let i = 0; i < 9; i++) await createdBeside(one);
        const { product, env, userId } = one;
        const counts = await Promise.all(
          [store, at.other].map((each) => each.removeUser({ product, env, userId })),
        );
        expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(10);
      });

      it('of a user: all that were started before, whatever is started meanwhile', async () => {
        for (let round = 0; round < 10; round++) {
          const first = await created();
          const before = [first];
          for (let i = 0; i < 9; i++) before.push(await createdBeside(first));
          const during = Array.from({ length: 10 }, () => sibling(first));
          const { product, env, userId } = first;
          const [removed] = await Promise.all([
            store.removeUser({ product, env, userId }),
            ...during.map((one) => at.other.create(one, { perUser: LIMIT })),
          ]);
          expect(removed).toBeGreaterThanOrEqual(before.length);
          for (const one of before) expect(await find(one)).toBeUndefined();
          const left = await store.listUser({ product, env, userId, limit: 50 });
          const alive = (await Promise.all(during.map(find))).filter(Boolean).length;
          expect(left.sessions).toHaveLength(alive);
          expect(removed + alive).toBe(before.length + during.length);
        }
      });

      it('of a user who has thousands: all of them, also those that are shortened meanwhile, and of one tag alone', async () => {
        const first = await created();
        const { product, env, userId, createdAtMs } = first;
        const all = [first, ...Array.from({ length: CROWD - 1 }, () => sibling(first))].map(
          (one, i) => ({ ...one, expiresAtMs: createdAtMs + 3_600_000 + i }),
        );
        for (let i = 1; i < CROWD; i += RACERS) {
          await Promise.all(
            all.slice(i, i + RACERS).map((one) => store.create(one, { perUser: LIMIT })),
          );
        }
        const chat = await createdBeside(first, { tag: 'support-chat' });
        const listed = await store.listUser({ product, env, userId, limit: CROWD + 1 });
        expect(new Set(listed.sessions.map(({ sessionId }) => sessionId)).size).toBe(CROWD + 1);
        expect(await store.readUser({ product, env, userId, tag: first.tag })).toMatchObject({
          activeSessions: CROWD,
        });
        const shortened = all
          .slice(-RACERS)
          .map((one) =>
            at.other.replace(one, rewritten(one, { expiresAtMs: createdAtMs + 60_000 })),
          );
        const [removed] = await Promise.all([
          store.removeUser({ product, env, userId, tag: first.tag }),
          ...shortened,
        ]);
        expect(removed).toBeGreaterThanOrEqual(CROWD);
        const left = await store.listUser({ product, env, userId, limit: 10 });
        expect(left.sessions.map(({ sessionId }) => sessionId)).toEqual([chat.sessionId]);
      });

      it('and trims expired entries from its indexes while others live on', async () => {
        const now = await store.now();
        const long = await created({ expiresAtMs: now + 80_000_000, createdAtMs: now });
        for (let i = 0; i < 20; i++) await createdBeside(long, { expiresAtMs: now + 1000 });
        await at.advance(2000);
        const last = await createdBeside(long);
        const page = await store.listUser({ ...long, limit: 100 });
        expect(page.sessions.map(({ sessionId }) => sessionId).sort()).toEqual(
          [long.sessionId, last.sessionId].sort(),
        );
        expect(await store.create(sibling(long), { perUser: 3 })).toMatchObject({
          outcome: 'created',
        });
        expect(await store.create(sibling(long), { perUser: 3 })).toMatchObject({
          outcome: 'limit_reached',
        });
      });
    });

    describe('lists', () => {
      it('the sessions of a user newest first, page by page', async () => {
        const first = await created();
        const all = [first];
        for (let i = 1; i < 7; i++)
          all.push(await createdBeside(first, { tag: i % 2 ? 'user-session' : 'chat' }));
        const { product, env, userId } = first;
        const ids: string[] = [];
        let after: string | undefined;
        do {
          const page = await store.listUser({ product, env, userId, limit: 3, after });
          ids.push(...page.sessions.map(({ sessionId }) => sessionId));
          after = page.next;
        } while (after !== undefined);
        expect(ids).toEqual(all.map(({ sessionId }) => sessionId).reverse());
        const chats = await store.listUser({ product, env, userId, tag: 'chat', limit: 10 });
        expect(chats.sessions.map(({ tag }) => tag)).toEqual(['chat', 'chat', 'chat']);
        expect(chats.next).toBeUndefined();
      });

      it('all sessions of a tag, each page full but the last, none missed', async () => {
        const product = newProduct();
        const ids = new Set<string>();
        for (let i = 0; i < 60; i++) {
          ids.add((await created({ product, userId: `user_${i % 30}` })).sessionId);
        }
        await created({ product, tag: 'another' });
        await created({ product, env: 'dev' });
        const found: string[] = [];
        const sizes: number[] = [];
        let after: TagPosition | undefined;
        do {
          const page = await store.listTag({
            product,
            env: 'prd',
            tag: 'user-session',
            limit: 25,
            after,
          });
          found.push(...page.sessions.map(({ sessionId }) => sessionId));
          sizes.push(page.sessions.length);
          after = page.next;
        } while (after !== undefined);
        expect(new Set(found)).toEqual(ids);
        expect(sizes).toEqual([25, 25, 10]);
      });

      it('misses no live session when others are refreshed and ended between the pages', async () => {
        const product = newProduct();
        const all: Session[] = [];
        for (let i = 0; i < 40; i++) all.push(await created({ product, userId: `user_${i % 5}` }));
        const found = new Set<string>();
        let after: TagPosition | undefined;
        let turn = 0;
        do {
          const page = await store.listTag({
            product,
            env: 'prd',
            tag: 'user-session',
            limit: 7,
            after,
          });
          for (const { sessionId } of page.sessions) found.add(sessionId);
          after = page.next;
          const refreshed = all[turn++];
          const ended = all[39 - turn];
          if (refreshed)
            await store.replace(
              refreshed,
              rewritten(refreshed, { expiresAtMs: refreshed.expiresAtMs + 5000 }),
            );
          if (ended) await store.remove(ended);
        } while (after !== undefined);
        for (const one of all) if (await find(one)) expect(found).toContain(one.sessionId);
      });

      it('sessions that expire in the same millisecond, page by page', async () => {
        const one = await created();
        for (let i = 1; i < 10; i++) await createdBeside(one);
        const found = new Set<string>();
        let after: TagPosition | undefined;
        do {
          const page = await store.listTag({
            product: one.product,
            env: one.env,
            tag: one.tag,
            limit: 2,
            after,
          });
          for (const { sessionId } of page.sessions) found.add(sessionId);
          after = page.next;
        } while (after !== undefined);
        expect(found.size).toBe(10);
      });
    });

    describeUsers(() => at);
    describeClaims(() => at);

    describe('keeps the ring of signing keys', () => {
      it('as one value under compare-and-swap, created once by 20 racers', async () => {
        const before = await store.readRing();
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            (i % 2 ? store : at.other).replaceRing(before, `ring ${i}`),
          ),
        );
        expect(outcomes.filter(Boolean)).toHaveLength(1);
        const winner = `ring ${outcomes.indexOf(true)}`;
        expect(await at.other.readRing()).toBe(winner);
        expect(await store.replaceRing(before, winner)).toBe(true);
        expect(await store.replaceRing('something else', 'x')).toBe(false);
      });
    });

    it('says what it is', () => {
      expect(store.describe().store).toBe(name.startsWith('memory') ? 'memory' : 'redis');
    });
  });
}
