// Owns the proof that a refresh token that is not genuine is refused and touches nothing, whatever it is made of.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { call, expectRefusedToken, listed, type Pair, post, refresh, START, start } from './api.ts';

let it: TestApp;
let pair: Pair;
let otherPair: Pair;
let cursor: string;
/** Sealed under another secret, of a session with the same names. */
let foreign: Pair;
/** Sealed under our secret by a service whose store was another one. */
let unknown: Pair;

beforeAll(async () => {
  it = await createTestApp();
  pair = await start(it.app);
  otherPair = await start(it.app, { data: { ...START.data, userId: 'someone-else' } });
  const list = await call(it.app, 'GET', '/sessions/my-app/prd/user-session?limit=1');
  cursor = list.json<{ nextCursor: string }>().nextCursor;
  for (const secrets of [['another-secret-of-32-bytes-or-more'], undefined]) {
    const other = await createTestApp(secrets ? { secrets } : {});
    if (secrets) foreign = await start(other.app);
    else unknown = await start(other.app);
    await other.app.close();
  }
});
afterAll(() => it.app.close());

const flip = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);

const segment = (token: string, index: number): string => token.split('.')[index] as string;

/** The token with one of its segments replaced. */
const graft = (token: string, index: number, by: string): string =>
  token.split('.').with(index, by).join('.');

const FORMS: Readonly<Record<string, () => string>> = {
  'without its last character': () => pair.refreshToken.slice(0, -1),
  'cut in half': () => pair.refreshToken.slice(0, pair.refreshToken.length / 2),
  'that is its prefix alone': () => 'smr_',
  'without its prefix': () => pair.refreshToken.slice(4),
  'with another prefix': () => `smx_${pair.refreshToken.slice(4)}`,
  'with a capital prefix': () => `SMR_${pair.refreshToken.slice(4)}`,
  'with its prefix twice': () => `smr_${pair.refreshToken}`,
  'with a character more': () => `${pair.refreshToken}A`,
  'with padding': () => `${pair.refreshToken}==`,
  'with a space before': () => ` ${pair.refreshToken}`,
  'with a line end behind': () => `${pair.refreshToken}\n`,
  'with a segment more': () => `${pair.refreshToken}.AAAA`,
  'with an encrypted key': () => graft(pair.refreshToken, 1, 'AAAA'),
  'with a tag of zeros': () => graft(pair.refreshToken, 4, 'A'.repeat(22)),
  'with the tag of another': () => graft(pair.refreshToken, 4, segment(otherPair.refreshToken, 4)),
  'with a shortened tag': () =>
    graft(pair.refreshToken, 4, segment(pair.refreshToken, 4).slice(0, 16)),
  'with the text of another': () => graft(pair.refreshToken, 3, segment(otherPair.refreshToken, 3)),
  'with the nonce of another': () =>
    graft(pair.refreshToken, 2, segment(otherPair.refreshToken, 2)),
  'with the header of another algorithm': () =>
    `smr_${graft(
      pair.refreshToken,
      0,
      Buffer.from('{"alg":"none","enc":"A256GCM"}').toString('base64url'),
    )}`,
  'with a compressed-text header': () =>
    graft(
      pair.refreshToken,
      0,
      `smr_${Buffer.from('{"alg":"dir","enc":"A256GCM","zip":"DEF"}').toString('base64url')}`,
    ),
  'sealed under another secret': () => foreign.refreshToken,
  'that is a list cursor': () => cursor,
  'that is a list cursor with the prefix': () => `smr_${cursor}`,
  'that is an access token': () => pair.token,
  'that is an access token with the prefix': () => `smr_${pair.token}`,
  'that is a session id': () => pair.sessionId,
  'that is very long': () => `smr_${'A'.repeat(20_000)}`,
  'that is not ASCII': () => 'smr_ключ',
};

const world = async () => ({ sessions: await listed(it.app), events: it.events.length });

test.each(Object.entries(FORMS))(
  'a refresh token %s refreshes and revokes nothing',
  async (_, form) => {
    const before = await world();
    const refreshToken = form();
    expectRefusedToken(await refresh(it.app, refreshToken), 'invalid');
    expectRefusedToken(await post(it.app, '/sessions/revoke', { refreshToken }), 'invalid');
    expect(await world()).toEqual(before);
  },
);

test('a refresh token changed at any one character is refused, and touches nothing', async () => {
  const before = await world();
  const { refreshToken } = pair;
  for (let at = 0; at < refreshToken.length; at++) {
    if (refreshToken[at] === '.') continue;
    expectRefusedToken(await refresh(it.app, flip(refreshToken, at)), 'invalid');
  }
  expect(await world()).toEqual(before);
});

test('every refusal has the same document, whatever was wrong', async () => {
  const answers = await Promise.all(
    Object.values(FORMS).map(async (form) => {
      const { instance: _instance, ...document } = (await refresh(it.app, form())).json();
      return JSON.stringify(document);
    }),
  );
  expect(new Set(answers).size).toBe(1);
});

test('a genuine refresh token of a session that this store never had is one of an ended session', async () => {
  const before = await world();
  expectRefusedToken(await refresh(it.app, unknown.refreshToken), 'ended');
  expect(await world()).toEqual(before);
});

test('the true token still works after all of this', async () => {
  const answer = await refresh(it.app, pair.refreshToken);
  expect(answer.headers['session-refresh']).toBe('rotated');
});
