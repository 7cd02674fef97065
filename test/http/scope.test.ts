// Owns the proof that a key of one product and environment can neither touch nor see anything of another.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PERMISSIONS } from '../../src/callers/caller.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import {
  type Answer,
  addressOf,
  call,
  expectProblem,
  listed,
  type Method,
  type Pair,
  post,
  refresh,
  START,
  start,
} from './api.ts';

const SCOPE = { product: 'a', env: 'dev' };
const KEY = 'key-of-a-dev';

let it: TestApp;
/** A session outside the scope. */
let foreign: Pair;
/** A session outside the scope that has ended. */
let ended: Pair;
beforeAll(async () => {
  it = await createTestApp({
    callers: [
      { key: KEY, caller: { id: 'a-dev', permissions: new Set(PERMISSIONS), scope: SCOPE } },
    ],
  });
  foreign = await start(it.app);
  ended = await start(it.app);
  await call(it.app, 'DELETE', addressOf(ended.sessionId));
});
afterAll(() => it.app.close());

/** The answer without what names the single occurrence. */
function comparable({ statusCode, body, headers }: Answer): string {
  const { 'request-id': _id, date: _date, ...rest } = headers;
  return JSON.stringify([statusCode, rest, body.replace(/urn:uuid:[0-9a-f-]{36}/, '')]);
}

describe('a key of a/dev', () => {
  test('may do everything in a/dev', async () => {
    const own = (await post(it.app, '/sessions', { ...START, ...SCOPE }, KEY)).json<Pair>();
    const address = `/sessions/a/dev/user-session/${own.sessionId}`;
    const { token } = own;
    const next = await refresh(it.app, own.refreshToken, KEY);
    expect(next.statusCode).toBe(200);
    const verified = await post(it.app, '/sessions/verify', { token }, KEY);
    expect(verified.json()).toMatchObject({ valid: true });
    for (const [method, url, status] of [
      ['GET', address, 200],
      ['GET', '/sessions/a/dev/user-session', 200],
      ['DELETE', address, 204],
      ['DELETE', '/users/a/dev/user_123/sessions', 200],
    ] as const) {
      expect((await call(it.app, method, url, { key: KEY })).statusCode).toBe(status);
    }
  });

  test.each([
    { product: 'a', env: 'prd' },
    { product: 'my-app', env: 'dev' },
    { product: 'my-app', env: 'prd' },
    { product: 'A', env: 'dev' },
    { product: 'a', env: 'dev2' },
    { product: 'nobody', env: 'nowhere' },
  ])(
    'gets the same 403 everywhere in $product/$env, whether or not anything exists there',
    async ({ product, env }) => {
      const place = `${product}/${env}`;
      const calls: readonly (readonly [Method, string, unknown?])[] = [
        ['POST', '/sessions', { ...START, product, env }],
        ['GET', `/sessions/${place}/user-session`],
        ['GET', `/sessions/${place}/user-session/${foreign.sessionId}`],
        ['GET', `/sessions/${place}/user-session/${ended.sessionId}`],
        ['GET', `/sessions/${place}/user-session/nobody`],
        ['DELETE', `/sessions/${place}/user-session/${foreign.sessionId}`],
        ['DELETE', `/users/${place}/user_123/sessions`],
        ['DELETE', `/users/${place}/nobody/sessions`],
      ];
      const before = await listed(it.app);
      const answers = new Set<string>();
      for (const [method, url, body] of calls) {
        const answer = await call(it.app, method, url, { body, key: KEY });
        expectProblem(answer, 'forbidden');
        answers.add(comparable(answer));
      }
      expect(answers.size).toBe(1);
      expect(await listed(it.app)).toEqual(before);
    },
  );

  test('sees no difference between a foreign token, an ended one and garbage', async () => {
    const before = await listed(it.app);
    for (const [url, member] of [
      ['/sessions/verify', 'token'],
      ['/sessions/revoke', 'token'],
      ['/sessions/refresh', 'refreshToken'],
      ['/sessions/revoke', 'refreshToken'],
    ] as const) {
      const answers = await Promise.all(
        [foreign[member], ended[member], 'garbage', `${foreign[member]}A`].map((text) =>
          post(it.app, url, { [member]: text }, KEY),
        ),
      );
      expect(new Set(answers.map(comparable)).size, `${member} at ${url}`).toBe(1);
      expect(answers[0]?.statusCode).toBe(url === '/sessions/verify' ? 200 : 400);
    }
    expect(await listed(it.app)).toEqual(before);
  });

  test('cannot tell an expired foreign token from garbage either', async () => {
    const old = await createTestApp({
      clock: it.clock,
      store: it.store,
      policy: { tokenTtlSeconds: 1, idleTtlSeconds: 1 },
    });
    const { token, refreshToken } = await start(old.app);
    it.clock.advance(2000);
    const garbage = await post(it.app, '/sessions/verify', { token: 'garbage' }, KEY);
    const expired = await post(it.app, '/sessions/verify', { token }, KEY);
    expect(comparable(expired)).toBe(comparable(garbage));
    expect(comparable(await refresh(it.app, refreshToken, KEY))).toBe(
      comparable(await refresh(it.app, 'garbage', KEY)),
    );
    expect((await post(it.app, '/sessions/verify', { token })).json()).toEqual({
      valid: false,
      reason: 'expired',
    });
    await old.app.close();
  });

  test('leaves the refresh token of a foreign session unused: its own backend rotates it', async () => {
    const answer = await refresh(it.app, foreign.refreshToken);
    expect(answer.headers['session-refresh']).toBe('rotated');
  });
});
