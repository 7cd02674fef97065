// Owns the contract of API keys: what they may do, how long, from where, how often, and who may hand them out.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import { Outage } from '../../src/sessions/errors.ts';
import { MAX_API_KEYS } from '../../src/stores/limits.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';
import {
  type Answer,
  addressOf,
  call,
  expectProblem,
  expectRefusedToken,
  faultyFields,
  post,
  refresh,
  START,
  start,
} from './api.ts';

let one: TestApp;
let two: TestApp;
let keyStore: DocumentStore;
let down = false;
beforeAll(async () => {
  const clock = createManualClock();
  const memory = createMemoryDocuments(MAX_API_KEYS);
  keyStore = new Proxy(memory, {
    get: (target, name: keyof DocumentStore) =>
      down
        ? async () => {
            throw new Outage('keys: down');
          }
        : target[name],
  });
  one = await createTestApp({ clock, keyStore, trustProxy: ['127.0.0.1'] });
  two = await createTestApp({ clock, keyStore, store: one.store, trustProxy: ['127.0.0.1'] });
});
afterAll(() => Promise.all([one.app.close(), two.app.close()]));

interface Key {
  readonly id: string;
  readonly key: string;
}
const make = async (over: object = {}, as?: string): Promise<Key> => {
  const answer = await post(
    one.app,
    '/api-keys',
    { name: 'test', permissions: ['issue'], ...over },
    as,
  );
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json();
};
const startAs = (key: string, over: object = {}, at = one): Promise<Answer> =>
  post(at.app, '/sessions', { ...START, ...over }, key);
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a key', () => {
  it('is shown once, does what it is for, and signs the sessions that it starts', async () => {
    const given = {
      name: 'checkout',
      permissions: ['issue', 'verify'],
      product: 'my-app',
      env: 'prd',
      tags: ['user-session'],
      requestsPerMinute: 100,
      allowedCidrs: ['127.0.0.0/8'],
      expiresAt: '2100-01-01T00:00:00Z',
    };
    const answer = await post(one.app, '/api-keys', given);
    const { key, ...view } = answer.json();
    expect(key).toMatch(/^smk_/);
    expect(answer.headers['location']).toBe(`/api-keys/${view.id}`);
    expect(view).toMatchObject({ ...given, expiresAt: '2100-01-01T00:00:00.000Z' });
    expect((await call(one.app, 'GET', `/api-keys/${view.id}`)).json()).toEqual(view);
    const { token } = (await startAs(key)).json();
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    expect(claims.client_id).toBe(view.id);
    expectProblem(await refresh(one.app, 'smr_x', key), 'forbidden');
    const list = await call(one.app, 'GET', '/api-keys');
    expect(list.body).not.toContain(key.slice(-20));
    expect(list.json().apiKeys).toContainEqual({ ...view, lastUsedAt: expect.any(String) });
    expect(one.log()).not.toContain(key.slice(20));
  });

  it('with a typo is refused before the store is asked', async () => {
    const { key } = await make();
    down = true;
    const typo = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
    expectProblem(await startAs(typo), 'unauthenticated');
    down = false;
  });

  it('that nobody made is refused, in the same words as a wrong secret', async () => {
    const { id } = await make();
    const other = await make();
    await call(one.app, 'DELETE', `/api-keys/${other.id}`);
    const gone = await startAs(other.key);
    const { instance: _one, ...problem } = expectProblem(gone, 'unauthenticated') as never as {
      instance: string;
    };
    const { instance: _two, ...garbage } = expectProblem(
      await startAs('smk_x'),
      'unauthenticated',
    ) as never as { instance: string };
    expect(problem).toEqual(garbage);
    expect(id).not.toBe(other.id);
  });

  it('that was revoked is refused here at once and at every instance within 5 s', async () => {
    const { id, key } = await make();
    expect((await startAs(key, {}, two)).statusCode).toBe(201);
    expect((await startAs(key)).statusCode).toBe(201);
    expect((await call(one.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expectProblem(await startAs(key), 'unauthenticated');
    one.clock.advance(4000);
    expectProblem(await startAs(key, {}, two), 'unauthenticated');
    expect((await call(one.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expectProblem(await call(one.app, 'GET', `/api-keys/${id}`), 'api_key_not_found');
  });

  it('is refused from the moment it expires, whatever is cached', async () => {
    const expiresAt = new Date(one.clock.wallMs() + 1000).toISOString();
    const { key } = await make({ expiresAt });
    expect((await startAs(key)).statusCode).toBe(201);
    one.clock.advance(999);
    expect((await startAs(key)).statusCode).toBe(201);
    one.clock.advance(1);
    expectProblem(await startAs(key), 'unauthenticated');
    const past = { name: 'x', permissions: ['issue'], expiresAt };
    expect(faultyFields(await post(one.app, '/api-keys', past))).toEqual(['/expiresAt']);
  });

  it('is an outage, and never refused, while the store cannot tell', async () => {
    const { key } = await make();
    expect((await startAs(key)).statusCode).toBe(201);
    down = true;
    expect((await startAs(key)).statusCode).toBe(201);
    one.clock.advance(4000);
    expectProblem(await startAs(key), 'store_unavailable');
    expect((await startAs('root-key')).statusCode).toBe(201);
    down = false;
    expect((await startAs(key)).statusCode).toBe(201);
  });

  it('that is rotated works under both secrets until the overlap ends, and one before that no more', async () => {
    const { id, key } = await make();
    const rotate = async (overlapSeconds: number) =>
      (await post(one.app, `/api-keys/${id}/rotate`, { overlapSeconds })).json();
    const first = await rotate(60);
    expect(first).toMatchObject({
      id,
      previousValidUntil: new Date(one.clock.wallMs() + 60_000).toISOString(),
    });
    const { previousValidUntil } = first;
    const shown = (await call(one.app, 'GET', `/api-keys/${id}`)).json();
    expect(shown).toMatchObject({ previousValidUntil });
    for (const each of [key, first.key]) expect((await startAs(each)).statusCode).toBe(201);
    one.clock.advance(60_000);
    expectProblem(await startAs(key), 'unauthenticated');
    expect((await startAs(first.key)).statusCode).toBe(201);
    await rotate(60);
    const third = await rotate(0);
    expect(third.previousValidUntil).toBeUndefined();
    expectProblem(await startAs(first.key), 'unauthenticated');
    expect((await startAs(third.key)).statusCode).toBe(201);
  });

  it('is known to have been used, to about a minute', async () => {
    const { id, key } = await make();
    const lastUsed = async () => {
      await settle();
      return (await call(one.app, 'GET', `/api-keys/${id}`)).json().lastUsedAt;
    };
    expect(await lastUsed()).toBeUndefined();
    const at = new Date(one.clock.wallMs()).toISOString();
    await startAs(key);
    expect(await lastUsed()).toBe(at);
    one.clock.advance(30_000);
    await startAs(key);
    expect(await lastUsed()).toBe(at);
    one.clock.advance(30_000);
    await startAs(key);
    expect(await lastUsed()).toBe(new Date(one.clock.wallMs()).toISOString());
    await call(one.app, 'DELETE', `/api-keys/${id}`);
    expect((await keyStore.listDocuments('api-key-uses')).has(id)).toBe(false);
  });

  it('leaves nothing behind when its revocation is sent again after a lost answer', async () => {
    const { id } = await make();
    const alive = await make();
    // What an attempt leaves that removed the key and died before it forgot the use.
    await call(one.app, 'DELETE', `/api-keys/${id}`);
    for (const each of [id, alive.id]) {
      await keyStore.replaceDocument('api-key-uses', each, undefined, '1');
    }
    expect((await call(one.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    const stranger = await make({ product: 'shop', permissions: ['admin'] });
    const { key } = stranger;
    await call(one.app, 'DELETE', `/api-keys/${alive.id}`, { key });
    const uses = await keyStore.listDocuments('api-key-uses');
    expect(uses.has(id)).toBe(false);
    expect(uses.has(alive.id)).toBe(true);
  });

  it('works from its addresses only: the real one behind a trusted proxy', async () => {
    const { key } = await make({ allowedCidrs: ['203.0.113.0/24', '2001:db8::/32'] });
    const from = (address: string) =>
      call(one.app, 'POST', '/sessions', {
        key,
        body: START,
        headers: { 'x-forwarded-for': address },
      });
    for (const good of ['203.0.113.9', '::ffff:203.0.113.9', '2001:db8::1']) {
      expect((await from(good)).statusCode, good).toBe(201);
    }
    for (const bad of ['203.0.114.9', '::1', '2001:db9::1', '203.0.113.9, 198.51.100.1']) {
      expectProblem(await from(bad), 'forbidden');
    }
  });

  it.each([
    [{ name: '' }, '/name'],
    [{ permissions: [] }, '/permissions'],
    [{ permissions: ['fly'] }, '/permissions/0'],
    [{ tags: ['a b'] }, '/tags/0'],
    [{ allowedCidrs: ['10.0.0.0/33'] }, '/allowedCidrs/0'],
    [{ allowedCidrs: ['example.com'] }, '/allowedCidrs/0'],
    [{ expiresAt: 'tomorrow' }, '/expiresAt'],
    [{ expiresAt: '2100-02-30T00:00:00Z' }, '/expiresAt'],
    [{ expiresAt: '2100-01-01T24:00:00Z' }, '/expiresAt'],
    [{ requestsPerMinute: 0 }, '/requestsPerMinute'],
    [{ secret: 'mine' }, '/secret'],
  ])('is not made of %j', async (over, pointer) => {
    const body = { name: 'x', permissions: ['issue'], ...over };
    expect(faultyFields(await post(one.app, '/api-keys', body))).toEqual([pointer]);
  });
});

describe('a key of some tags', () => {
  it('acts under them, and is to the others what a stranger is', async () => {
    const permissions = ['issue', 'refresh', 'verify', 'revoke', 'read'];
    const { key } = await make({ permissions, tags: ['checkout-flow'] });
    expect((await startAs(key, { tag: 'checkout-flow' })).statusCode).toBe(201);
    expectProblem(await startAs(key), 'forbidden');
    const pair = await start(one.app);
    expectRefusedToken(await refresh(one.app, pair.refreshToken, key), 'invalid');
    const { token } = pair;
    expect((await post(one.app, '/sessions/verify', { token }, key)).json()).toEqual({
      valid: false,
      reason: 'invalid',
    });
    expect(faultyFields(await post(one.app, '/sessions/revoke', { token }, key))).toEqual([
      '/token',
    ]);
    expectProblem(await call(one.app, 'GET', addressOf(pair.sessionId), { key }), 'forbidden');
    for (const [method, url] of [
      ['GET', '/users/my-app/prd'],
      ['GET', '/users/my-app/prd/user_123'],
      ['GET', '/stats/my-app/prd'],
      ['DELETE', '/users/my-app/prd/user_123/sessions'],
    ] as const) {
      expectProblem(await call(one.app, method, url, { key }), 'forbidden');
      expectProblem(await call(one.app, method, `${url}?tag=user-session`, { key }), 'forbidden');
      expect((await call(one.app, method, `${url}?tag=checkout-flow`, { key })).statusCode).toBe(
        200,
      );
    }
    expectProblem(
      await call(one.app, 'DELETE', '/users/my-app/prd/user_123', { key }),
      'forbidden',
    );
    expect((await post(one.app, '/sessions/verify', { token })).json()).toMatchObject({
      valid: true,
    });
  });
});

describe('a key that makes keys', () => {
  it('hands on what it has, and nothing beyond: not a permission, not a place', async () => {
    const scope = { product: 'shop', env: 'prd', tags: ['a', 'b'] };
    const { key } = await make({ ...scope, permissions: ['admin', 'issue'] });
    await make({ ...scope, tags: ['a'], permissions: ['issue'] }, key);
    for (const over of [
      { ...scope, permissions: ['read'] },
      { ...scope, product: undefined },
      { ...scope, product: 'shop2' },
      { ...scope, env: undefined },
      { ...scope, tags: undefined },
      { ...scope, tags: ['a', 'c'] },
    ]) {
      expectProblem(
        await post(one.app, '/api-keys', { name: 'x', permissions: ['issue'], ...over }, key),
        'forbidden',
      );
    }
  });

  it('hands on no longer life, no other address and no higher rate than its own', async () => {
    const limits = {
      expiresAt: new Date(one.clock.wallMs() + 3_600_000).toISOString(),
      allowedCidrs: ['127.0.0.0/8', '10.0.0.0/8'],
      requestsPerMinute: 100,
    };
    const { key } = await make({ permissions: ['admin', 'issue'], ...limits });
    const { id } = await make(
      { ...limits, allowedCidrs: ['10.0.0.0/8'], requestsPerMinute: 5 },
      key,
    );
    expect((await call(one.app, 'GET', `/api-keys/${id}`, { key })).statusCode).toBe(200);
    for (const over of [
      { expiresAt: undefined },
      { expiresAt: new Date(one.clock.wallMs() + 3_600_001).toISOString() },
      { allowedCidrs: undefined },
      { allowedCidrs: ['0.0.0.0/0'] },
      { requestsPerMinute: undefined },
      { requestsPerMinute: 101 },
    ]) {
      const body = { name: 'x', permissions: ['issue'], ...limits, ...over };
      expectProblem(await post(one.app, '/api-keys', body, key), 'forbidden');
    }
    const free = await make();
    const rotation = await post(one.app, `/api-keys/${free.id}/rotate`, { overlapSeconds: 0 }, key);
    expectProblem(rotation, 'api_key_not_found');
  });

  it('sees and touches no key that reaches further: such a key looks absent, byte for byte', async () => {
    const { key } = await make({ product: 'shop', permissions: ['admin', 'issue'] });
    const own = await make({ product: 'shop' }, key);
    const foreign = await make({ product: 'other' });
    const ask = async (method: 'GET' | 'DELETE', id: string) => {
      const { statusCode, headers, body } = await call(one.app, method, `/api-keys/${id}`, { key });
      const { 'request-id': _id, date: _date, ...rest } = headers;
      return [statusCode, rest, body.replace(/urn:uuid:[0-9a-f-]{36}/, '')];
    };
    const absent = 'A'.repeat(foreign.id.length);
    expect(await ask('GET', foreign.id)).toEqual(await ask('GET', absent));
    expect(await ask('DELETE', foreign.id)).toEqual(await ask('DELETE', absent));
    expectProblem(
      await post(one.app, `/api-keys/${foreign.id}/rotate`, { overlapSeconds: 0 }, key),
      'api_key_not_found',
    );
    expect((await startAs(foreign.key, { product: 'other' })).statusCode).toBe(201);
    const { apiKeys } = (await call(one.app, 'GET', '/api-keys', { key })).json();
    const ids = apiKeys.map(({ id }: Key) => id);
    expect(ids).toContain(own.id);
    expect(ids).not.toContain(foreign.id);
  });
});
