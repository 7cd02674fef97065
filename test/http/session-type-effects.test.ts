// Owns the promises of what a session type does to sessions: their details, lives, claims, and the retry window that waits.

import { decodeJwt } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import type { SessionType } from '../../src/sessions/session-type.ts';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.ts';
import {
  type Answer,
  call,
  expectProblem,
  expectRefusedToken,
  faultyFields,
  type Pair,
  post,
  refresh,
  START,
  start,
  verify,
} from './api.ts';

let running: TestApp;
afterEach(() => running.app.close());

async function withType(type: SessionType, options: TestAppOptions = {}): Promise<TestApp> {
  running = await createTestApp(options);
  await running.types.put(START.product, START.tag, type, {});
  return running;
}

const begin = (details: object): Promise<Answer> =>
  post(running.app, '/sessions', { ...START, data: { userId: 'u', details } });
const next = async (refreshToken: string): Promise<Pair> => {
  const answer = await refresh(running.app, refreshToken);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<Pair>();
};
const lifeOf = ({ token }: Pair): number => {
  const { iat = 0, exp = 0 } = decodeJwt(token);
  return exp - iat;
};
/** Lets every instance know of a change. */
const pass = (ms = 4_000) => running.clock.advance(ms);

describe('details', () => {
  it('that break the schema are refused, each fault with its place; others start', async () => {
    await withType({
      detailsSchema: {
        properties: { username: { type: 'string' }, roles: { items: { enum: ['a', 'b'] } } },
        required: ['username'],
        additionalProperties: false,
      },
    });
    expect(faultyFields(await begin({ roles: ['a', 'x'], extra: 1 }))).toEqual([
      '/data/details/extra',
      '/data/details/roles/1',
      '/data/details/username',
    ]);
    expect(
      faultyFields(await post(running.app, '/sessions', { ...START, data: { userId: 'u' } })),
    ).toEqual(['/data/details/username']);
    expect((await begin({ username: 'x', roles: ['a'] })).statusCode).toBe(201);
    expect(running.events.map(({ name }) => name)).toEqual([
      'signing_key_added',
      'session_type_changed',
      'session_started',
    ]);
  });

  it('of a tag without a type are free', async () => {
    await withType({ detailsSchema: { required: ['username'] } });
    const answer = await post(running.app, '/sessions', {
      ...START,
      tag: 'other',
      data: { userId: 'u' },
    });
    expect(answer.statusCode).toBe(201);
  });

  it('of live sessions are not judged again', async () => {
    await withType({});
    const pair = await start(running.app);
    await running.types.put(START.product, START.tag, { detailsSchema: { required: ['x'] } }, {});
    await next(pair.refreshToken);
  });
});

describe('where session types are required', () => {
  it('a tag without one starts no session, and goes on refreshing those it has', async () => {
    const { app, types } = await withType({}, { requireTypes: true });
    const pair = await start(app);
    expect(faultyFields(await post(app, '/sessions', { ...START, tag: 'other' }))).toEqual([
      '/tag',
    ]);
    await types.remove(START.product, START.tag, {});
    expect(faultyFields(await post(app, '/sessions', START))).toEqual(['/tag']);
    await next(pair.refreshToken);
  });
});

describe('lives', () => {
  it('are those of the type, where it has any', async () => {
    await withType({ tokenTtlSeconds: 60, idleTtlSeconds: 120, absoluteTtlSeconds: 200 });
    const pair = await start(running.app);
    expect(lifeOf(pair)).toBe(60);
    expect(Date.parse(pair.refreshExpiresAt) - running.clock.wallMs()).toBe(120_000);
    running.clock.advance(119_000);
    expect(lifeOf(await next(pair.refreshToken))).toBe(60);
    running.clock.advance(81_000);
    expectRefusedToken(await refresh(running.app, pair.refreshToken), 'ended');
  });

  it('change at the next refresh, but for the absolute limit', async () => {
    const { types } = await withType({
      tokenTtlSeconds: 60,
      idleTtlSeconds: 100,
      absoluteTtlSeconds: 200,
    });
    const pair = await start(running.app);
    await types.put(START.product, START.tag, { tokenTtlSeconds: 30 }, {});
    const later = await next(pair.refreshToken);
    expect(lifeOf(later)).toBe(30);
    expect(Date.parse(later.refreshExpiresAt) - running.clock.wallMs()).toBe(200_000);
  });

  it('are never longer than what is around them, whatever the defaults are', async () => {
    await withType({ absoluteTtlSeconds: 50 });
    const pair = await start(running.app);
    expect(lifeOf(pair)).toBe(50);
    expect(Date.parse(pair.refreshExpiresAt) - running.clock.wallMs()).toBe(50_000);
  });

  it('of tokens are shortened by chance where the type says so, never prolonged', async () => {
    await withType({ tokenTtlSeconds: 1000, tokenTtlJitter: 0.25 });
    const lives: number[] = [];
    for (let i = 0; i < 40; i++) lives.push(lifeOf(await start(running.app)));
    let pair = await start(running.app);
    for (let i = 0; i < 40; i++) {
      pair = await next(pair.refreshToken);
      lives.push(lifeOf(pair));
    }
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(750);
    expect(Math.max(...lives)).toBeLessThanOrEqual(1000);
    expect(new Set(lives).size).toBeGreaterThan(20);
  });

  it('of a token are the same in every replay of it, jittered or not', async () => {
    await withType({ tokenTtlSeconds: 1000, tokenTtlJitter: 0.25 });
    const pair = await start(running.app);
    const first = await next(pair.refreshToken);
    expect(decodeJwt((await next(pair.refreshToken)).token)).toEqual(decodeJwt(first.token));
  });
});

describe('claims', () => {
  it('are the details that the type names, and are repeated by a replay whatever the type says by then', async () => {
    const { types, app } = await withType({ claims: ['role', 'plan', 'absent', 'constructor'] });
    const pair = (await begin({ role: 'admin', plan: { tier: 2 }, other: 1 })).json<Pair>();
    const { role, plan, other, sub, ...rest } = decodeJwt(pair.token);
    expect({ role, plan, other, sub }).toEqual({ role: 'admin', plan: { tier: 2 }, sub: 'u' });
    expect(rest).not.toHaveProperty('absent');
    expect(Object.hasOwn(rest, 'constructor')).toBe(false);
    const second = await next(pair.refreshToken);
    expect(decodeJwt(second.token)).toMatchObject({ role: 'admin' });
    await types.put(START.product, START.tag, { claims: ['other'] }, {});
    expect(decodeJwt((await next(pair.refreshToken)).token)).toEqual(decodeJwt(second.token));
    const third = decodeJwt((await next(second.refreshToken)).token);
    expect(third).toMatchObject({ other: 1 });
    expect(third).not.toHaveProperty('role');
    expect(await verify(app, second.token)).toMatchObject({ valid: true });
  });

  it('that do not fit into a token are refused at the start', async () => {
    await withType({ claims: ['a', 'b', 'c'] });
    const answer = await begin({ a: 'x'.repeat(900), b: 'x'.repeat(200), c: 1 });
    expect(faultyFields(answer)).toEqual(['/data/details/b', '/data/details/c']);
    expect((await begin({ a: 'x'.repeat(900), b: 'x'.repeat(50), c: 1 })).statusCode).toBe(201);
  });

  it('that no longer fit at a refresh are left out, the last first, and an event says so', async () => {
    const { types } = await withType({});
    const pair = (await begin({ a: 1, b: 'x'.repeat(2000), c: 2 })).json<Pair>();
    await types.put(START.product, START.tag, { claims: ['a', 'b', 'c'] }, {});
    const claims = decodeJwt((await next(pair.refreshToken)).token);
    expect(claims).toMatchObject({ a: 1 });
    expect(claims).not.toHaveProperty('b');
    expect(claims).not.toHaveProperty('c');
    expect(running.events.filter(({ name }) => name === 'session_claims_dropped')).toHaveLength(1);
    expect(JSON.stringify(running.events)).not.toContain('xxx');
  });
});

describe('a retry window that stays open until the successor was seen', () => {
  const patient = { retryUntilUsed: true, tokenTtlSeconds: 60 };

  it('answers the old token again long after the plain window', async () => {
    await withType(patient);
    const pair = await start(running.app);
    const second = await next(pair.refreshToken);
    running.clock.advance(59_000);
    expect(decodeJwt((await next(pair.refreshToken)).token)).toEqual(decodeJwt(second.token));
  });

  it('closes when the successor is verified', async () => {
    await withType(patient);
    const pair = await start(running.app);
    const second = await next(pair.refreshToken);
    running.clock.advance(30_000);
    expect(await verify(running.app, second.token)).toMatchObject({ valid: true });
    expectRefusedToken(await refresh(running.app, pair.refreshToken), 'reused');
  });

  it('does not close when the token before is verified', async () => {
    await withType({ ...patient, tokenTtlSeconds: 600 });
    const pair = await start(running.app);
    await next(pair.refreshToken);
    running.clock.advance(300_000);
    expect(await verify(running.app, pair.token)).toMatchObject({ valid: true });
    await next(pair.refreshToken);
  });

  it('closes when the successor is refreshed', async () => {
    await withType(patient);
    const pair = await start(running.app);
    await next((await next(pair.refreshToken)).refreshToken);
    expectRefusedToken(await refresh(running.app, pair.refreshToken), 'reused');
  });

  it('still forgives two tabs at once after the successor was verified', async () => {
    await withType(patient);
    const pair = await start(running.app);
    const second = await next(pair.refreshToken);
    await verify(running.app, second.token);
    running.clock.advance(1_000);
    await next(pair.refreshToken);
  });

  it('gives an expired token new times once, the same to all who ask', async () => {
    await withType(patient);
    const pair = await start(running.app);
    const second = await next(pair.refreshToken);
    running.clock.advance(3_600_000);
    const answers = await Promise.all(Array.from({ length: 20 }, () => next(pair.refreshToken)));
    const claims = answers.map(({ token }) => JSON.stringify(decodeJwt(token)));
    expect(new Set(claims).size).toBe(1);
    const renewed = answers[0] as Pair;
    expect(Date.parse(renewed.expiresAt) - running.clock.wallMs()).toBe(60_000);
    expect(decodeJwt(renewed.token).jti).toBe(decodeJwt(second.token).jti);
    expect(await verify(running.app, renewed.token)).toMatchObject({ valid: true });
    // Used by now: the old token is good for the plain window only.
    running.clock.advance(20_000);
    expectRefusedToken(await refresh(running.app, pair.refreshToken), 'reused');
  });

  it('gives whoever loses the race for new times those of the winner', async () => {
    await withType(patient);
    const pair = await start(running.app);
    await next(pair.refreshToken);
    running.clock.advance(100_000);
    const { replace } = running.store;
    running.store.replace = async (current, renewed) => {
      running.store.replace = replace;
      await replace(current, renewed);
      running.clock.advance(1_500);
      return 'stale';
    };
    const loser = await next(pair.refreshToken);
    expect(await next(pair.refreshToken)).toMatchObject({ expiresAt: loser.expiresAt });
    expect(Date.parse(loser.expiresAt) - running.clock.wallMs()).toBe(58_500);
  });

  it('gives new times only once', async () => {
    await withType(patient);
    const pair = await start(running.app);
    await next(pair.refreshToken);
    running.clock.advance(100_000);
    const renewed = await next(pair.refreshToken);
    running.clock.advance(100_000);
    const again = await next(pair.refreshToken);
    expect(again.expiresAt).toBe(renewed.expiresAt);
    // The successor's own refresh token is as good as ever.
    await next(again.refreshToken);
  });

  it('never makes a verify fail or wait, even if the mark cannot be written', async () => {
    await withType(patient);
    const pair = await start(running.app);
    const second = await next(pair.refreshToken);
    running.store.replace = () => Promise.reject(new Error('kanarienvogel'));
    expect(await verify(running.app, second.token)).toMatchObject({ valid: true });
    running.store.replace = () => new Promise(() => undefined);
    expect(await verify(running.app, second.token)).toMatchObject({ valid: true });
  });
});

it('a type that cannot be read is an outage of start and refresh, and none of verify', async () => {
  await withType({});
  const pair = await start(running.app);
  pass();
  running.typeStore.readDocument = () => Promise.reject(new Outage('read type: test'));
  expectProblem(await post(running.app, '/sessions', START), 'store_unavailable');
  expectProblem(await refresh(running.app, pair.refreshToken), 'store_unavailable');
  expect(await verify(running.app, pair.token)).toMatchObject({ valid: true });
  expect(
    (await call(running.app, 'GET', `/sessions/my-app/prd/user-session/${pair.sessionId}`))
      .statusCode,
  ).toBe(200);
});

it.each([
  ['a format', { format: 2, version: 'x', type: {} }],
  ['a schema', { format: 1, version: 'x', type: { detailsSchema: { $id: 'x' } } }],
])(
  'a type with %s of a later version is an outage, never a start without it',
  async (_what, stored) => {
    const { app, typeStore } = await withType({});
    pass();
    typeStore.readDocument = async () => JSON.stringify(stored);
    expectProblem(await post(app, '/sessions', START), 'store_unavailable');
  },
);
