// Owns the proof of the calls on one session: status, members, headers, for each row of the contract.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { addressOf, call, expectProblem, type Pair, post, refresh, START, start } from './api.ts';

let it: TestApp;
beforeAll(async () => {
  it = await createTestApp();
});
afterAll(() => it.app.close());

const PAIR_MEMBERS = ['token', 'refreshToken', 'sessionId', 'expiresAt', 'refreshExpiresAt'];
const inSeconds = (seconds: number) => new Date(it.clock.wallMs() + seconds * 1000).toISOString();

/** The bodies on the page of the idea, verbatim. */
const IDEA = [
  {
    product: 'my-app',
    env: 'prd',
    tag: 'user-session',
    data: { userId: 'user_123', details: { username: 'johndoe', email: 'john@example.com' } },
  },
  {
    product: 'ecommerce',
    env: 'prd',
    tag: 'checkout-session',
    data: { userId: 'user_456', details: { email: 'jane@example.com' } },
  },
  {
    product: 'dashboard',
    env: 'prd',
    tag: 'user-session',
    data: {
      userId: 'user_789',
      details: {
        username: 'jsmith',
        email: 'jsmith@company.com',
        role: 'admin',
        plan: 'enterprise',
      },
    },
  },
  {
    product: 'marketplace',
    env: 'prd',
    tag: 'checkout-flow',
    data: { userId: 'user_123', details: { cartId: 'cart_456' } },
  },
  {
    product: 'marketplace',
    env: 'prd',
    tag: 'support-chat',
    data: { userId: 'user_123', details: { ticketId: 'ticket_789' } },
  },
];

describe('POST /sessions', () => {
  test.each(IDEA)(
    'starts $product/$tag of the idea, and gives its data back equal',
    async (body) => {
      const answer = await post(it.app, '/sessions', body);
      expect(answer.statusCode).toBe(201);
      const { token, sessionId } = answer.json<Pair>();
      const read = await call(it.app, 'GET', String(answer.headers.location));
      expect(read.json()).toMatchObject({ ...body, sessionId });
      const verified = await post(it.app, '/sessions/verify', { token });
      expect(verified.json()).toMatchObject({ valid: true, ...body, sessionId });
    },
  );

  test('answers with the token first, the refresh token second, and when both expire', async () => {
    const answer = await post(it.app, '/sessions', START);
    expect(Object.keys(answer.json<Pair>())).toEqual(PAIR_MEMBERS);
    expect(answer.json()).toMatchObject({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refreshToken: expect.stringMatching(/^smr_/),
      expiresAt: inSeconds(900),
      refreshExpiresAt: inSeconds(604_800),
    });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      location: addressOf(answer.json<Pair>().sessionId),
    });
  });

  test('absent details are an empty object', async () => {
    const { sessionId } = await start(it.app, { data: { userId: 'u' } as typeof START.data });
    const read = await call(it.app, 'GET', addressOf(sessionId));
    expect(read.json()).toMatchObject({ data: { userId: 'u', details: {} } });
  });

  test('a user at the limit of sessions gets 409 until one has ended', async () => {
    const limited = await createTestApp({ maxSessionsPerUser: 2 });
    const { sessionId } = await start(limited.app);
    await start(limited.app);
    expectProblem(await post(limited.app, '/sessions', START), 'session_limit_reached');
    await call(limited.app, 'DELETE', addressOf(sessionId));
    await start(limited.app);
    await limited.app.close();
  });
});

describe('POST /sessions/refresh', () => {
  test('answers with the next pair in the shape of the first', async () => {
    const first = await start(it.app);
    const answer = await refresh(it.app, first.refreshToken);
    expect(answer.statusCode).toBe(200);
    expect(Object.keys(answer.json<Pair>())).toEqual(PAIR_MEMBERS);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'session-refresh': 'rotated',
    });
    expect(answer.json<Pair>().sessionId).toBe(first.sessionId);
    expect(answer.json<Pair>().token).not.toBe(first.token);
    expect(answer.json<Pair>().refreshToken).not.toBe(first.refreshToken);
  });
});

describe('POST /sessions/verify', () => {
  test('tells a good token everything about its session', async () => {
    const { token, sessionId } = await start(it.app);
    const answer = await post(it.app, '/sessions/verify', { token });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json()).toEqual({
      valid: true,
      sessionId,
      ...START,
      issuedAt: inSeconds(0),
      expiresAt: inSeconds(900),
    });
  });

  test.each([
    { product: 'other' },
    { env: 'dev' },
    { tag: 'checkout-flow' },
    { product: 'my-app', env: 'prd', tag: 'checkout-flow' },
  ])('a token is invalid where %j is expected', async (expected) => {
    const { token } = await start(it.app);
    const answer = await post(it.app, '/sessions/verify', { token, ...expected });
    expect(answer.json()).toEqual({ valid: false, reason: 'invalid' });
  });

  test('a token is valid where exactly its own place is expected', async () => {
    const { token } = await start(it.app);
    const { data: _data, ...place } = START;
    const answer = await post(it.app, '/sessions/verify', { token, ...place });
    expect(answer.json()).toMatchObject({ valid: true });
  });
});

describe('revoking', () => {
  test('ends a session by its token, by its refresh token and by its address, each time with 204', async () => {
    for (const by of ['token', 'refreshToken', 'address'] as const) {
      const pair = await start(it.app);
      const revoke = () =>
        by === 'address'
          ? call(it.app, 'DELETE', addressOf(pair.sessionId))
          : post(it.app, '/sessions/revoke', { [by]: pair[by] });
      for (const answer of [await revoke(), await revoke()]) {
        expect(answer.statusCode).toBe(204);
        expect(answer.body).toBe('');
        expect(answer.headers['cache-control']).toBe('no-store');
      }
      const verified = await post(it.app, '/sessions/verify', { token: pair.token });
      expect(verified.json()).toEqual({ valid: false, reason: 'ended' });
      expectProblem(await call(it.app, 'GET', addressOf(pair.sessionId)), 'session_not_found');
    }
  });

  test('takes an older refresh token of the session too', async () => {
    const pair = await start(it.app);
    await refresh(it.app, pair.refreshToken);
    const { refreshToken } = pair;
    expect((await post(it.app, '/sessions/revoke', { refreshToken })).statusCode).toBe(204);
    expectProblem(await call(it.app, 'GET', addressOf(pair.sessionId)), 'session_not_found');
  });

  test('answers 204 for the address of a session that never was', async () => {
    for (const id of ['x', '5f1pq8v3k2c0aXb0m1Q2w3E4r5T6y7U8i9O']) {
      expect((await call(it.app, 'DELETE', addressOf(id))).statusCode).toBe(204);
    }
  });

  test('leaves a session alone that is addressed under another tag', async () => {
    const { sessionId } = await start(it.app);
    await call(it.app, 'DELETE', addressOf(sessionId, 'checkout-flow'));
    expect((await call(it.app, 'GET', addressOf(sessionId))).statusCode).toBe(200);
  });
});

describe('GET of a session', () => {
  test('shows all but its tokens', async () => {
    const { sessionId } = await start(it.app);
    const answer = await call(it.app, 'GET', addressOf(sessionId));
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.json()).toEqual({
      sessionId,
      ...START,
      createdAt: inSeconds(0),
      refreshedAt: inSeconds(0),
      lastSeenAt: inSeconds(0),
      refreshCount: 0,
      expiresAt: inSeconds(604_800),
      absoluteExpiresAt: inSeconds(2_592_000),
    });
  });

  test('is 404 for an id of another form, of nobody, or under another tag', async () => {
    const { sessionId } = await start(it.app);
    for (const url of [
      addressOf('x'),
      addressOf(`${sessionId.slice(0, -1)}_`),
      addressOf(sessionId, 'checkout-flow'),
    ]) {
      expectProblem(await call(it.app, 'GET', url), 'session_not_found');
    }
  });
});
