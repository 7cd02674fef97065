// Owns the promise that what can be judged without the store is: garbage and strangers are refused before it is asked, outage or not.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { PERMISSIONS } from '../../src/callers/caller.ts';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import { Outage } from '../../src/sessions/errors.ts';
import { MAX_API_KEYS } from '../../src/stores/limits.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';
import {
  addressOf,
  call,
  expectProblem,
  expectRefusedToken,
  type Pair,
  post,
  START,
  start,
} from './api.ts';

const STRANGER = 'key-of-another-product';
const scope = { product: 'another', env: 'prd' };

let service: TestApp;
let pair: Pair;
let storedKey: string;
let down = false;
/** What was asked of the stores that are down. */
let asked: string[] = [];

/** The same store, every operation of which fails while it is down. */
function failing<T extends object>(store: T): T {
  const operations = Object.entries(store).map(([name, operation]) => [
    name,
    (...args: unknown[]) => {
      if (!down) return operation(...args);
      asked.push(name);
      throw new Outage(`${name}: test`);
    },
  ]);
  return Object.fromEntries(operations) as T;
}

beforeAll(async () => {
  const clock = createManualClock();
  const keyStore: DocumentStore = createMemoryDocuments(MAX_API_KEYS);
  service = await createTestApp({
    clock,
    store: failing(
      createMemoryStore({ nowMs: clock.wallMs, maxSessions: 100, userRetentionMs: RETENTION_MS }),
    ),
    keyStore: failing(keyStore),
    callers: [{ key: STRANGER, caller: { id: 's', permissions: new Set(PERMISSIONS), scope } }],
  });
  pair = await start(service.app);
  const made = await post(service.app, '/api-keys', { name: 'x', permissions: ['verify'] });
  storedKey = made.json<{ key: string }>().key;
  down = true;
});
afterAll(() => service.app.close());
beforeEach(() => {
  asked = [];
});

it('the store is down: whoever needs it gets 503', async () => {
  const answers = [
    await post(service.app, '/sessions/verify', { token: pair.token }),
    await post(service.app, '/sessions/refresh', { refreshToken: pair.refreshToken }),
    await post(service.app, '/sessions/verify', { token: pair.token }, storedKey),
  ];
  for (const answer of answers) expectProblem(answer, 'store_unavailable');
  expect(asked.length).toBeGreaterThanOrEqual(3);
});

it.each([
  ['garbage', () => 'garbage'],
  ['a token with a character more', () => `${pair.token}A`],
  ['a refresh token', () => pair.refreshToken],
])('%s is no valid token, and the store is not asked', async (_what, text) => {
  const answer = await post(service.app, '/sessions/verify', { token: text() });
  expect(answer.json()).toEqual({ valid: false, reason: 'invalid' });
  const revoked = await post(service.app, '/sessions/revoke', { token: text() });
  expectProblem(revoked, 'invalid_request');
  expect(asked).toEqual([]);
});

it.each([
  ['garbage', () => 'garbage'],
  ['a refresh token with a character more', () => `${pair.refreshToken}A`],
  ['one cut short', () => pair.refreshToken.slice(0, -1)],
  ['a token', () => pair.token],
])('%s is no refresh token, and the store is not asked', async (_what, text) => {
  for (const path of ['/sessions/refresh', '/sessions/revoke']) {
    expectRefusedToken(await post(service.app, path, { refreshToken: text() }), 'invalid');
  }
  expect(asked).toEqual([]);
});

it('a stranger’s good tokens are judged by scope alone', async () => {
  const { token, refreshToken } = pair;
  const verified = await post(service.app, '/sessions/verify', { token }, STRANGER);
  expect(verified.json()).toEqual({ valid: false, reason: 'invalid' });
  expectRefusedToken(
    await post(service.app, '/sessions/refresh', { refreshToken }, STRANGER),
    'invalid',
  );
  for (const [method, url] of [
    ['GET', addressOf(pair.sessionId)],
    ['DELETE', addressOf(pair.sessionId)],
    ['GET', '/sessions/my-app/prd/user-session'],
    ['GET', '/users/my-app/prd'],
    ['GET', '/stats/my-app/prd'],
    ['DELETE', '/users/my-app/prd/user_123'],
  ] as const) {
    expectProblem(await call(service.app, method, url, { key: STRANGER }), 'forbidden');
  }
  expectProblem(await post(service.app, '/sessions', START, STRANGER), 'forbidden');
  expect(asked).toEqual([]);
});

it('a token that is expected elsewhere is invalid before anyone looks', async () => {
  const elsewhere = { token: pair.token, tag: 'checkout-flow' };
  const answer = await post(service.app, '/sessions/verify', elsewhere);
  expect(answer.json()).toEqual({ valid: false, reason: 'invalid' });
  expect(asked).toEqual([]);
});

it('a key with a typo is 401, and the store is not asked', async () => {
  const last = storedKey.at(-1) === 'a' ? 'b' : 'a';
  for (const key of [
    storedKey.slice(0, -1) + last,
    storedKey.slice(0, -1),
    `${storedKey}0`,
    storedKey.replace('smk_', 'SMK_'),
    storedKey.slice(0, 20) + (storedKey[20] === 'x' ? 'y' : 'x') + storedKey.slice(21),
    'wrong',
  ]) {
    const { token } = pair;
    expectProblem(await post(service.app, '/sessions/verify', { token }, key), 'unauthenticated');
  }
  expect(asked).toEqual([]);
});
