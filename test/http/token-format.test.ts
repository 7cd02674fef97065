// Owns the proof of what a token says and that any JOSE library verifies it with the published keys alone.

import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SIGNING_ALGORITHMS } from '../../src/sessions/signing-ring.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { call, START, start } from './api.ts';

let it: TestApp;
beforeAll(async () => {
  it = await createTestApp();
});
afterAll(() => it.app.close());

async function publishedKeys({ app }: TestApp) {
  const answer = await call(app, 'GET', '/.well-known/jwks.json', { key: null });
  expect(answer.statusCode).toBe(200);
  return { answer, set: answer.json<JSONWebKeySet>() };
}

/** Verifies as a stranger would: published keys, issuer, type and audience. */
async function verifyAs(from: TestApp, token: string, audience: string) {
  return jwtVerify(token, createLocalJWKSet((await publishedKeys(from)).set), {
    issuer: 'http://localhost:3000',
    typ: 'at+jwt',
    audience,
    currentDate: new Date(from.clock.wallMs()),
  });
}

describe('the token', () => {
  test('has exactly alg, kid and typ in its header', async () => {
    const { token } = await start(it.app);
    const { set } = await publishedKeys(it);
    expect(decodeProtectedHeader(token)).toEqual({
      alg: 'ES256',
      kid: set.keys[0]?.kid,
      typ: 'at+jwt',
    });
  });

  test('has exactly the documented claims, and no details', async () => {
    const { token, sessionId } = await start(it.app);
    const now = Math.floor(it.clock.wallMs() / 1000);
    expect(decodeJwt(token)).toEqual({
      iss: 'http://localhost:3000',
      aud: ['my-app/prd', 'my-app/prd/user-session'],
      sub: 'user_123',
      sid: sessionId,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      iat: now,
      exp: now + 900,
      client_id: 'root',
      product: 'my-app',
      env: 'prd',
      tag: 'user-session',
    });
  });

  test('verifies with the published keys for its product and for its tag', async () => {
    const { token } = await start(it.app);
    for (const audience of ['my-app/prd', 'my-app/prd/user-session']) {
      const { payload } = await verifyAs(it, token, audience);
      expect(payload.sub).toBe(START.data.userId);
    }
  });

  test('of another environment, product or tag fails with nothing but the audience option', async () => {
    const { token: ofDev } = await start(it.app, { env: 'dev' });
    const { token: ofChat } = await start(it.app, { tag: 'support-chat' });
    await expect(verifyAs(it, ofDev, 'my-app/prd')).rejects.toThrow(/"aud"/);
    await expect(verifyAs(it, ofDev, 'my-app/prd/user-session')).rejects.toThrow(/"aud"/);
    await expect(verifyAs(it, ofChat, 'my-app/prd/checkout-flow')).rejects.toThrow(/"aud"/);
    await expect(verifyAs(it, ofChat, 'other/prd')).rejects.toThrow(/"aud"/);
  });

  test('of another deployment fails with our keys', async () => {
    const other = await createTestApp();
    const { token } = await start(other.app);
    await expect(verifyAs(it, token, 'my-app/prd')).rejects.toThrow();
    await other.app.close();
  });

  test.each(SIGNING_ALGORITHMS)('verifies when %s is configured', async (alg) => {
    const own = await createTestApp({ alg });
    const { token } = await start(own.app);
    expect(decodeProtectedHeader(token).alg).toBe(alg);
    await verifyAs(own, token, 'my-app/prd');
    await own.app.close();
  });
});

describe('the key set', () => {
  test('holds public members only, and may be cached', async () => {
    const { answer, set } = await publishedKeys(it);
    expect(answer.headers['cache-control']).toMatch(/^public, max-age=\d+$/);
    expect(set.keys).toHaveLength(1);
    expect(Object.keys(set.keys[0] ?? {}).sort()).toEqual(
      ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'].sort(),
    );
  });
});

describe('a verifier that knows the issuer alone', () => {
  test.each(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'])(
    'finds the keys by %s',
    async (path) => {
      const own = await createTestApp({ issuer: 'https://sessions.example.com/' });
      const answer = await call(own.app, 'GET', path, { key: null });
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['cache-control']).toBe('public, max-age=300');
      expect(answer.json()).toEqual({
        issuer: 'https://sessions.example.com/',
        jwks_uri: 'https://sessions.example.com/.well-known/jwks.json',
        response_types_supported: [],
        grant_types_supported: [],
      });
      await own.app.close();
    },
  );
});
