// Owns the proof of refresh over HTTP: every row of the rotation table, the retry window to the millisecond, races of two instances.

import { decodeJwt } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp, type TestAppOptions } from '../support/test-app.ts';
import {
  type Answer,
  addressOf,
  call,
  expectProblem,
  expectRefusedToken,
  listed,
  type Pair,
  post,
  refresh,
  START,
  start,
  verify,
} from './api.ts';

async function testApp(options: TestAppOptions = {}) {
  const made = await createTestApp(options);
  onTestFinished(() => made.app.close());
  return made;
}

/** Checks for a pair given with this outcome, and returns it. */
function expectPair(answer: Answer, outcome: 'rotated' | 'replayed'): Pair {
  expect(answer.statusCode, answer.body).toBe(200);
  expect(answer.headers['session-refresh']).toBe(outcome);
  return answer.json<Pair>();
}

describe('a refresh token', () => {
  test('that is current is exchanged for the next pair, again and again', async () => {
    const { app, clock } = await testApp();
    let pair = await start(app);
    const ids = new Set([decodeJwt(pair.token).jti]);
    for (let generation = 1; generation <= 5; generation++) {
      clock.advance(60_000);
      pair = expectPair(await refresh(app, pair.refreshToken), 'rotated');
      ids.add(decodeJwt(pair.token).jti);
      const [view] = await listed(app);
      expect(view).toMatchObject({ refreshCount: generation, sessionId: pair.sessionId });
      expect(await verify(app, pair.token)).toMatchObject({ valid: true, ...START });
    }
    expect(ids.size).toBe(6);
  });

  test('presented again inside the retry window gets the same successor again', async () => {
    const { app, clock } = await testApp();
    const first = await start(app);
    clock.advance(60_500);
    const next = expectPair(await refresh(app, first.refreshToken), 'rotated');
    const before = await listed(app);
    clock.advance(20_000);
    const again = expectPair(await refresh(app, first.refreshToken), 'replayed');
    expect(decodeJwt(again.token)).toEqual(decodeJwt(next.token));
    const { token: _token, refreshToken: _refreshToken, ...told } = next;
    expect(again).toMatchObject(told);
    expect(await listed(app)).toEqual(before);
    // Both successors are the same generation: whichever is used, there is one chain.
    const third = expectPair(await refresh(app, again.refreshToken), 'rotated');
    const same = expectPair(await refresh(app, next.refreshToken), 'replayed');
    expect(decodeJwt(same.token).jti).toBe(decodeJwt(third.token).jti);
  });

  test.each([
    { policy: {}, windowMs: 30_000, why: 'as configured' },
    { policy: { tokenTtlSeconds: 30 }, windowMs: 10_000, why: 'a third of a short token' },
    { policy: { refreshRetrySeconds: 5 }, windowMs: 5_000, why: 'a short one' },
  ])(
    'is replayed until the last millisecond of the window ($why), not extended by replays',
    async ({ policy, windowMs }) => {
      for (const [lateMs, alive] of [
        [-1, true],
        [0, false],
        [1, false],
      ] as const) {
        const { app, clock } = await testApp({ policy });
        const first = await start(app);
        expectPair(await refresh(app, first.refreshToken), 'rotated');
        clock.advance(windowMs - 2);
        expectPair(await refresh(app, first.refreshToken), 'replayed');
        clock.advance(2 + lateMs);
        const answer = await refresh(app, first.refreshToken);
        if (alive) expectPair(answer, 'replayed');
        else expectRefusedToken(answer, 'reused');
      }
    },
  );

  test('without a retry window is good once', async () => {
    const { app } = await testApp({ policy: { refreshRetrySeconds: 0 } });
    const first = await start(app);
    expectPair(await refresh(app, first.refreshToken), 'rotated');
    expectRefusedToken(await refresh(app, first.refreshToken), 'reused');
  });

  test('two generations old ends the session even inside the window', async () => {
    const { app } = await testApp();
    const first = await start(app);
    const second = expectPair(await refresh(app, first.refreshToken), 'rotated');
    expectPair(await refresh(app, second.refreshToken), 'rotated');
    expectRefusedToken(await refresh(app, first.refreshToken), 'reused');
    expect(await listed(app)).toEqual([]);
  });

  test('used after the retry window ends the session in every call', async () => {
    const { app, clock, events } = await testApp();
    const first = await start(app);
    const next = expectPair(await refresh(app, first.refreshToken), 'rotated');
    clock.advance(30_000);
    expectRefusedToken(await refresh(app, first.refreshToken), 'reused');
    expect(events.map(({ name }) => name)).toContain('session_refresh_reused');
    for (const pair of [first, next]) {
      expect(await verify(app, pair.token)).toEqual({ valid: false, reason: 'ended' });
      expectRefusedToken(await refresh(app, pair.refreshToken), 'ended');
      const { token } = pair;
      expect((await post(app, '/sessions/revoke', { token })).statusCode).toBe(204);
    }
    expectProblem(await call(app, 'GET', addressOf(first.sessionId)), 'session_not_found');
    expect(await listed(app)).toEqual([]);
  });

  test('newer than the store knows is believed: a failover lost the rotation', async () => {
    const { app, store, events } = await testApp();
    const first = await start(app);
    const { data: _data, ...place } = START;
    const locator = { ...place, sessionId: first.sessionId };
    const before = (await store.read(locator)).session;
    const next = expectPair(await refresh(app, first.refreshToken), 'rotated');
    const now = (await store.read(locator)).session;
    if (!before || !now) throw new Error('the session is not in the store');
    expect(await store.replace(now, before)).toBe('replaced');
    expectPair(await refresh(app, next.refreshToken), 'rotated');
    expect((await listed(app))[0]?.refreshCount).toBe(2);
    expect(events.map(({ name }) => name)).toContain('session_rotation_recovered');
  });
});

describe('the limits of time', () => {
  const policy = { tokenTtlSeconds: 60, idleTtlSeconds: 100, absoluteTtlSeconds: 250 };

  test('a token stays good after a refresh until its own expiry, to the millisecond', async () => {
    const { app, clock } = await testApp({ policy });
    const first = await start(app);
    expectPair(await refresh(app, first.refreshToken), 'rotated');
    clock.advance(59_999);
    expect(await verify(app, first.token)).toMatchObject({ valid: true });
    clock.advance(1);
    expect(await verify(app, first.token)).toEqual({ valid: false, reason: 'expired' });
  });

  test('an unused refresh token dies at the idle limit, a used one begins it anew', async () => {
    const { app, clock } = await testApp({ policy });
    const first = await start(app);
    clock.advance(99_999);
    const next = expectPair(await refresh(app, first.refreshToken), 'rotated');
    clock.advance(100_000);
    expectRefusedToken(await refresh(app, next.refreshToken), 'ended');
  });

  test('nothing outlives the absolute limit, neither session nor token', async () => {
    const { app, clock } = await testApp({ policy });
    const endMs = clock.wallMs() + 250_000;
    let pair = await start(app);
    for (const ms of [90_000, 90_000, 60_000]) {
      clock.advance(ms);
      pair = expectPair(await refresh(app, pair.refreshToken), 'rotated');
      expect(Date.parse(pair.expiresAt)).toBeLessThanOrEqual(endMs);
      expect(Date.parse(pair.refreshExpiresAt)).toBeLessThanOrEqual(endMs);
    }
    expect(pair.expiresAt).toBe(new Date(endMs).toISOString());
    clock.advance(9_999);
    expect(await verify(app, pair.token)).toMatchObject({ valid: true });
    clock.advance(1);
    expectRefusedToken(await refresh(app, pair.refreshToken), 'ended');
    expect(await verify(app, pair.token)).toEqual({ valid: false, reason: 'expired' });
    expect(await listed(app)).toEqual([]);
  });
});

test('a hundred simultaneous refreshes over two instances give one rotation and 99 times the same answer', async () => {
  const clock = createManualClock();
  const store = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 100,
    userRetentionMs: RETENTION_MS,
  });
  const instances = [await testApp({ clock, store }), await testApp({ clock, store })];
  const apps = instances.map(({ app }) => app);
  const [app] = apps as [(typeof apps)[0]];
  const { refreshToken } = await start(app);
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => apps.map((each) => refresh(each, refreshToken))).flat(),
  );
  const outcomes = answers.map(({ headers }) => headers['session-refresh']);
  expect(outcomes.filter((outcome) => outcome === 'rotated')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === 'replayed')).toHaveLength(99);
  const pairs = answers.map((answer) => answer.json<Pair>());
  expect(new Set(pairs.map(({ token }) => decodeJwt(token).jti)).size).toBe(1);
  expect((await listed(app))[0]?.refreshCount).toBe(1);
  const successors = await Promise.all(
    pairs.map((pair, i) => refresh(apps[i % 2] ?? app, pair.refreshToken)),
  );
  expect(new Set(successors.map((each) => decodeJwt(each.json<Pair>().token).jti)).size).toBe(1);
});
