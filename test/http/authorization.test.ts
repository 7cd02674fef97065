// Owns the proof of who may do what: keys, permissions and scope, on every route there is.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PERMISSIONS, type Permission } from '../../src/callers/caller.ts';
import { routesOf } from '../support/routes.ts';
import { createTestApp, METRICS_KEY, ROOT_KEY, type TestApp } from '../support/test-app.ts';
import { addressOf, call, expectProblem, type Method, START } from './api.ts';

/** All that anyone may read without a key. A new route belongs here only if that is meant. */
const PUBLIC = [
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/livez',
  '/readyz',
];
const PUBLIC_WITH_DOCS = [...PUBLIC, '/docs', '/openapi.json'];

const keyFor = (permission: Permission) => `key-that-may-${permission}`;

let it: TestApp;
beforeAll(async () => {
  it = await createTestApp({
    docs: true,
    callers: PERMISSIONS.map((permission) => ({
      key: keyFor(permission),
      caller: { id: permission, permissions: new Set([permission]), scope: {} },
    })),
  });
});
afterAll(() => it.app.close());

const fill = (url: string) =>
  url
    .replace(':product', 'my-app')
    .replace(':env', 'prd')
    .replace(/:\w+|\*/g, 'x');

const isPublic = (url: string) =>
  PUBLIC_WITH_DOCS.some((open) => url === open || (open === '/docs' && url.startsWith('/docs/')));

describe('every route', () => {
  test('answers 401 without a key, 405, or stands on the public list', async () => {
    const guarded: string[] = [];
    for (const { method, url } of routesOf(it.app)) {
      const answer = await call(it.app, method, fill(url), { key: null });
      const { statusCode } = answer;
      if (isPublic(url)) {
        expect([200, 302, 404, 405], `${method} ${url}`).toContain(statusCode);
        continue;
      }
      expect([401, 405], `${method} ${url}`).toContain(statusCode);
      if (statusCode === 401) guarded.push(`${method} ${url}`);
    }
    expect(guarded.sort()).toEqual(
      [
        'DELETE /session-types/:product/:tag',
        'GET /session-types/:product',
        'GET /session-types/:product/:tag',
        'HEAD /session-types/:product',
        'HEAD /session-types/:product/:tag',
        'POST /session-types/:product/:tag/check',
        'PUT /session-types/:product/:tag',
        'DELETE /api-keys/:id',
        'DELETE /sessions/:product/:env/:tag/:sessionId',
        'DELETE /users/:product/:env/:userId',
        'DELETE /users/:product/:env/:userId/sessions',
        'GET /api-keys',
        'GET /api-keys/:id',
        'GET /metrics',
        'GET /sessions/:product/:env/:tag',
        'GET /sessions/:product/:env/:tag/:sessionId',
        'GET /stats/:product/:env',
        'GET /users/:product/:env',
        'GET /users/:product/:env/:userId',
        'HEAD /api-keys',
        'HEAD /api-keys/:id',
        'HEAD /metrics',
        'HEAD /sessions/:product/:env/:tag',
        'HEAD /sessions/:product/:env/:tag/:sessionId',
        'HEAD /stats/:product/:env',
        'HEAD /users/:product/:env',
        'HEAD /users/:product/:env/:userId',
        'PATCH /sessions/:product/:env/:tag/:sessionId',
        'POST /api-keys',
        'POST /api-keys/:id/rotate',
        'POST /sessions',
        'POST /sessions/refresh',
        'POST /sessions/revoke',
        'POST /sessions/verify',
      ].sort(),
    );
  });

  test('of the docs is gone when docs are off, and no other public one is', async () => {
    const { app } = await createTestApp();
    for (const url of PUBLIC) {
      expect((await call(app, 'GET', url, { key: null })).statusCode).toBe(200);
    }
    for (const url of ['/docs', '/openapi.json', '/docs/errors.md', '/docs/json']) {
      expectProblem(await call(app, 'GET', url, { key: null }), 'not_found');
    }
    await app.close();
  });
});

describe('a key', () => {
  const FORMS: Readonly<Record<string, string | undefined>> = {
    missing: undefined,
    empty: '',
    'a scheme alone': 'Bearer',
    'a scheme and a space': 'Bearer ',
    'a key alone': ROOT_KEY,
    'of another scheme': `Basic ${Buffer.from(`${ROOT_KEY}:`).toString('base64')}`,
    'under a made-up scheme': `ApiKey ${ROOT_KEY}`,
    wrong: 'Bearer wrong-key',
    'cut short': `Bearer ${ROOT_KEY.slice(0, -1)}`,
    'with a character more': `Bearer ${ROOT_KEY}x`,
    'in capitals': `Bearer ${ROOT_KEY.toUpperCase()}`,
    'after two spaces': `Bearer  ${ROOT_KEY}`,
    'after a tab': `Bearer\t${ROOT_KEY}`,
    'with a comma behind': `Bearer ${ROOT_KEY},`,
    'twice in one header': `Bearer ${ROOT_KEY}, Bearer ${ROOT_KEY}`,
    'in quotes': `Bearer "${ROOT_KEY}"`,
    'that is a session token': 'Bearer eyJhbGciOiJub25lIn0.e30.',
    'of 8,000 characters': `Bearer ${'x'.repeat(8000)}`,
  };

  test.each(Object.entries(FORMS))(
    '%s is 401, and says how to send one',
    async (_, authorization) => {
      const answer = await call(it.app, 'POST', '/sessions', {
        body: START,
        key: null,
        headers: authorization === undefined ? {} : { authorization },
      });
      const { errors: _errors, detail } = expectProblem(answer, 'unauthenticated');
      expect(answer.headers['www-authenticate']).toBe('Bearer');
      expect(detail).not.toContain(ROOT_KEY);
    },
  );

  test('counts in the header only: not in the query and not in a cookie', async () => {
    for (const [url, headers] of [
      [`/sessions/my-app/prd/user-session?access_token=${ROOT_KEY}`, {}],
      ['/sessions/my-app/prd/user-session', { cookie: `authorization=${ROOT_KEY}` }],
      ['/sessions/my-app/prd/user-session', { 'x-api-key': ROOT_KEY }],
    ] as const) {
      expectProblem(await call(it.app, 'GET', url, { key: null, headers }), 'unauthenticated');
    }
  });

  test('is asked for before the body is looked at', async () => {
    expectProblem(
      await call(it.app, 'POST', '/sessions', { body: '{', key: null }),
      'unauthenticated',
    );
  });

  test('may be sent under the scheme in any case', async () => {
    const headers = { authorization: `bearer ${ROOT_KEY}` };
    expect((await call(it.app, 'GET', '/metrics', { key: null, headers })).statusCode).toBe(200);
  });
});

describe('a permission', () => {
  const CALLS: readonly (readonly [Permission, Method, string, object | undefined])[] = [
    ['issue', 'POST', '/sessions', START],
    ['refresh', 'POST', '/sessions/refresh', { refreshToken: 'smr_x' }],
    ['verify', 'POST', '/sessions/verify', { token: 'x' }],
    ['revoke', 'POST', '/sessions/revoke', { token: 'x' }],
    ['read', 'GET', '/sessions/my-app/prd/user-session', undefined],
    ['read', 'HEAD', '/sessions/my-app/prd/user-session', undefined],
    ['read', 'GET', addressOf('x'), undefined],
    ['read', 'HEAD', addressOf('x'), undefined],
    ['revoke', 'DELETE', addressOf('x'), undefined],
    ['revoke', 'DELETE', '/users/my-app/prd/nobody/sessions', undefined],
    ['revoke', 'DELETE', '/users/my-app/prd/nobody', undefined],
    ['read', 'GET', '/users/my-app/prd', undefined],
    ['read', 'GET', '/users/my-app/prd/nobody', undefined],
    ['read', 'GET', '/stats/my-app/prd', undefined],
    ['issue', 'PATCH', addressOf('x'), { data: { details: {} } }],
    ['admin', 'GET', '/api-keys', undefined],
    ['admin', 'POST', '/api-keys', { name: 'x', permissions: ['admin'] }],
    ['admin', 'GET', '/api-keys/x', undefined],
    ['admin', 'DELETE', '/api-keys/x', undefined],
    ['admin', 'POST', '/api-keys/x/rotate', { overlapSeconds: 0 }],
    ['metrics', 'GET', '/metrics', undefined],
    ['metrics', 'HEAD', '/metrics', undefined],
  ];

  test.each(CALLS)(
    '%s is needed for %s %s, and no other opens it',
    async (needed, method, url, body) => {
      for (const permission of PERMISSIONS) {
        const answer = await call(it.app, method, url, { body, key: keyFor(permission) });
        if (permission === needed) expect([401, 403]).not.toContain(answer.statusCode);
        else if (method === 'HEAD') expect(answer.statusCode).toBe(403);
        else expectProblem(answer, 'forbidden');
      }
    },
  );

  test('of the metrics key opens /metrics and nothing else', async () => {
    for (const [permission, method, url, body] of CALLS) {
      const answer = await call(it.app, method, url, { body, key: METRICS_KEY });
      expect(answer.statusCode).toBe(permission === 'metrics' ? 200 : 403);
    }
  });
});
