// Owns the proof of what is said about many sessions: lists, pages, and ending all sessions of a user.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { addressOf, call, faultyFields, START, start, type View } from './api.ts';

let it: TestApp;
beforeEach(async () => {
  it = await createTestApp();
});
afterEach(() => it.app.close());

const LIST = '/sessions/my-app/prd/user-session';

interface Page {
  readonly sessions: readonly View[];
  readonly nextCursor?: string;
}

/** Starts `count` sessions a second apart; returns their ids, oldest first. */
async function startMany(count: number, userOf: (i: number) => string): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) {
    it.clock.advance(1000);
    const data = { ...START.data, userId: userOf(i) };
    ids.push((await start(it.app, { data })).sessionId);
  }
  return ids;
}

async function page(query: string): Promise<Page> {
  const answer = await call(it.app, 'GET', `${LIST}?${query}`);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<Page>();
}

/** All pages one after the other, by following the cursors. */
async function walk(query: string): Promise<Page[]> {
  const pages = [await page(query)];
  for (let cursor = pages[0]?.nextCursor; cursor !== undefined; ) {
    const next = await page(`${query}&cursor=${encodeURIComponent(cursor)}`);
    pages.push(next);
    cursor = next.nextCursor;
  }
  return pages;
}

const idsOf = (pages: readonly Page[]) =>
  pages.flatMap(({ sessions }) => sessions.map(({ sessionId }) => sessionId));

describe('a list', () => {
  test('of one user is newest first, over all pages, each session once', async () => {
    const ids = await startMany(7, () => 'u');
    await startMany(3, () => 'other');
    const pages = await walk('userId=u&limit=3');
    expect(idsOf(pages)).toEqual(ids.reverse());
    expect(pages.map(({ sessions }) => sessions.length).slice(0, 2)).toEqual([3, 3]);
  });

  test('over all users misses nobody', async () => {
    const ids = await startMany(25, (i) => `user_${i}`);
    expect(new Set(idsOf(await walk('limit=7')))).toEqual(new Set(ids));
  });

  test('gives 20 unless asked, up to 100, and no more than there are', async () => {
    await startMany(101, () => 'u');
    expect((await page('userId=u')).sessions).toHaveLength(20);
    expect((await page('limit=1')).sessions).toHaveLength(1);
    const full = await page('userId=u&limit=100');
    expect(full.sessions).toHaveLength(100);
    const last = await page(`userId=u&limit=100&cursor=${full.nextCursor}`);
    expect(last.sessions).toHaveLength(1);
    expect(last).not.toHaveProperty('nextCursor');
  });

  test.each(['0', '101', '-1', '+5', '1.0', '1e1', '05', ' 5', '', 'ten', '0x10', '99999999999'])(
    'refuses the limit "%s" by name',
    async (limit) => {
      const answer = await call(it.app, 'GET', `${LIST}?limit=${encodeURIComponent(limit)}`);
      expect(faultyFields(answer)).toEqual(['/query/limit']);
    },
  );

  test('of nobody is empty and not an error', async () => {
    expect(await page('')).toEqual({ sessions: [] });
    expect(await page('userId=nobody')).toEqual({ sessions: [] });
  });

  test('shows the sessions of its tag alone, with what a read shows and never a token', async () => {
    const { sessionId, token, refreshToken } = await start(it.app);
    await start(it.app, { tag: 'checkout-flow' });
    const list = await call(it.app, 'GET', LIST);
    expect(list.headers['cache-control']).toBe('no-store');
    const read = await call(it.app, 'GET', addressOf(sessionId));
    expect(list.json()).toEqual({ sessions: [read.json()] });
    for (const secret of [token, refreshToken, token.split('.')[2] as string]) {
      expect(list.body + read.body).not.toContain(secret);
    }
  });

  test('has no expired session in it', async () => {
    await startMany(1, () => 'old');
    it.clock.advance(604_800_000 - 500);
    const [id] = await startMany(1, () => 'new');
    it.clock.advance(500);
    expect(idsOf([await page('')])).toEqual([id]);
  });
});

describe('DELETE of all sessions of a user', () => {
  const devices = (query = '') =>
    call(it.app, 'DELETE', `/users/my-app/prd/user_123/sessions${query}`);
  const alive = async (tag: string, sessionId: string) =>
    (await call(it.app, 'GET', addressOf(sessionId, tag))).statusCode === 200;

  test('ends them under every tag, says how many, and touches no other user, product or environment', async () => {
    await start(it.app);
    await start(it.app, { tag: 'checkout-flow' });
    const dev = await start(it.app, { env: 'dev' });
    const product = await start(it.app, { product: 'other' });
    const user = await start(it.app, { data: { ...START.data, userId: 'user_1234' } });
    const answer = await devices();
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ revoked: 2 });
    expect((await devices()).json()).toEqual({ revoked: 0 });
    expect(await alive('user-session', user.sessionId)).toBe(true);
    for (const [place, { sessionId }] of [
      ['my-app/dev', dev],
      ['other/prd', product],
    ] as const) {
      const read = await call(it.app, 'GET', `/sessions/${place}/user-session/${sessionId}`);
      expect(read.statusCode).toBe(200);
    }
  });

  test('with a tag ends only those of that tag', async () => {
    const login = await start(it.app);
    const checkout = await start(it.app, { tag: 'checkout-flow' });
    expect((await devices('?tag=checkout-flow')).json()).toEqual({ revoked: 1 });
    expect(await alive('user-session', login.sessionId)).toBe(true);
    expect(await alive('checkout-flow', checkout.sessionId)).toBe(false);
  });

  test('with except logs out the other devices only', async () => {
    const mine = await start(it.app);
    const other = await start(it.app);
    expect((await devices(`?except=${mine.sessionId}`)).json()).toEqual({ revoked: 1 });
    expect(await alive('user-session', mine.sessionId)).toBe(true);
    expect(await alive('user-session', other.sessionId)).toBe(false);
  });

  test("with an except that is nobody's ends them all", async () => {
    const { sessionId } = await start(it.app, { data: { ...START.data, userId: 'someone-else' } });
    await start(it.app);
    expect((await devices(`?except=${sessionId}`)).json()).toEqual({ revoked: 1 });
  });
});
