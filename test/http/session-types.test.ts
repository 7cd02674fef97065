// Owns the promises of keeping session types: put, read, list, remove, conditions, rehearsal, and what is refused.

import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Caller, PERMISSIONS } from '../../src/callers/caller.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { call, expectProblem, faultyFields, START, start } from './api.ts';

const ADDRESS = `/session-types/${START.product}/${START.tag}`;
const TYPE = {
  name: 'Login',
  description: 'Of people, by password.',
  tokenTtlSeconds: 600,
  idleTtlSeconds: 86_400,
  absoluteTtlSeconds: 864_000,
  refreshRetrySeconds: 10,
  retryUntilUsed: true,
  tokenTtlJitter: 0.1,
  detailsSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { username: { type: 'string', maxLength: 64 }, 'a/b': { enum: [1, null, 'x'] } },
    required: ['username'],
    additionalProperties: false,
  },
  claims: ['username'],
  maxSessionsPerUser: 5,
  onLimit: 'evict_oldest',
};

const caller = (key: string, scope: Caller['scope'], permissions = new Set(PERMISSIONS)) => ({
  key,
  caller: { id: key, permissions, scope },
});

let running: TestApp;
let app: FastifyInstance;
beforeEach(async () => {
  running = await createTestApp({
    callers: [
      caller('product-key', { product: 'my-app' }),
      caller('env-key', { product: 'my-app', env: 'prd' }),
      caller('other-key', { product: 'shop' }),
      caller('no-admin-key', {}, new Set(['issue', 'read'] as const)),
    ],
  });
  app = running.app;
});
afterEach(() => app.close());

const put = (body: unknown, headers: Record<string, string> = {}, url = ADDRESS) =>
  call(app, 'PUT', url, { body, headers });
const get = (url = ADDRESS) => call(app, 'GET', url);

describe('a session type', () => {
  it('is given back as it was put, and can be put back unchanged', async () => {
    const created = await put(TYPE);
    expect(created.statusCode).toBe(201);
    expect(created.json()).toEqual(TYPE);
    const read = await get();
    expect(read.json()).toEqual(TYPE);
    expect(read.headers['etag']).toBe(created.headers['etag']);
    const again = await put(read.body, { 'if-match': String(read.headers['etag']) });
    expect(again.statusCode).toBe(200);
    expect(again.headers['etag']).toBe(created.headers['etag']);
    expect(again.body).toBe(read.body);
  });

  it('may say nothing at all', async () => {
    expect((await put({})).statusCode).toBe(201);
    expect((await get()).json()).toEqual({});
  });

  it('is the same whatever the order of its members', async () => {
    const { headers } = await put({
      name: 'a',
      detailsSchema: { type: 'object', required: ['a'] },
    });
    const again = await put({ detailsSchema: { required: ['a'], type: 'object' }, name: 'a' });
    expect(again.headers['etag']).toBe(headers['etag']);
  });

  it('has a new ETag at every change, also back to what it was', async () => {
    const tags = [];
    for (const name of ['a', 'b', 'a']) tags.push((await put({ name })).headers['etag']);
    expect(new Set(tags).size).toBe(3);
  });

  it('is replaced whole: what is not put is gone', async () => {
    await put(TYPE);
    expect((await put({ name: 'Short' })).statusCode).toBe(200);
    expect((await get()).json()).toEqual({ name: 'Short' });
  });

  it('is listed with its tag and ETag, in order of the tags, for its product alone', async () => {
    const b = await put({ name: 'b' }, {}, '/session-types/my-app/b');
    const a = await put({ name: 'a' }, {}, '/session-types/my-app/a');
    await put({ name: 'c' }, {}, '/session-types/shop/c');
    expect((await get('/session-types/my-app')).json()).toEqual({
      types: [
        { tag: 'a', etag: a.headers['etag'], type: { name: 'a' } },
        { tag: 'b', etag: b.headers['etag'], type: { name: 'b' } },
      ],
    });
    expect((await get('/session-types/empty')).json()).toEqual({ types: [] });
  });

  it('is gone after its removal, which may be repeated', async () => {
    await put(TYPE);
    expect((await call(app, 'DELETE', ADDRESS)).statusCode).toBe(204);
    expect((await call(app, 'DELETE', ADDRESS)).statusCode).toBe(204);
    expectProblem(await get(), 'session_type_not_found');
    const names = running.events.map(({ name }) => name).filter((name) => /_type_/.test(name));
    expect(names).toEqual(['session_type_changed', 'session_type_removed']);
  });

  it('leaves names only in events and log', async () => {
    await put({ ...TYPE, description: 'kanarienvogel' });
    await put({ detailsSchema: { $ref: 'kanarienvogel' } });
    expect(JSON.stringify(running.events) + running.log()).not.toContain('kanarienvogel');
  });
});

describe('a condition', () => {
  it('keeps a type from being overwritten by somebody who has not seen it', async () => {
    const first = String((await put({ name: 'a' })).headers['etag']);
    const second = String((await put({ name: 'b' }, { 'if-match': first })).headers['etag']);
    expectProblem(await put({ name: 'c' }, { 'if-match': first }), 'precondition_failed');
    expectProblem(await put({ name: 'c' }, { 'if-none-match': '*' }), 'precondition_failed');
    expectProblem(await put({ name: 'c' }, { 'if-match': `W/${second}` }), 'precondition_failed');
    expectProblem(
      await call(app, 'DELETE', ADDRESS, { headers: { 'if-match': first } }),
      'precondition_failed',
    );
    expect((await get()).json()).toEqual({ name: 'b' });
    expect((await put({ name: 'c' }, { 'if-match': `"x", ${second}` })).statusCode).toBe(200);
    expect((await put({ name: 'd' }, { 'if-match': '*' })).statusCode).toBe(200);
  });

  it('of a type that must be there is not met by one that is not', async () => {
    expectProblem(await put({}, { 'if-match': '*' }), 'precondition_failed');
    expectProblem(await put({}, { 'if-match': '"x"' }), 'precondition_failed');
    expect((await put({}, { 'if-none-match': '*' })).statusCode).toBe(201);
    expect((await call(app, 'DELETE', ADDRESS, { headers: { 'if-match': '*' } })).statusCode).toBe(
      204,
    );
    expectProblem(
      await call(app, 'DELETE', ADDRESS, { headers: { 'if-match': '*' } }),
      'precondition_failed',
    );
  });

  it('lets one of many racing writers through', async () => {
    const etag = String((await put({ name: 'start' })).headers['etag']);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => put({ name: `w${i}` }, { 'if-match': etag })),
    );
    const codes = answers.map(({ statusCode }) => statusCode).sort();
    expect(codes).toEqual([200, ...Array.from({ length: 19 }, () => 412)]);
  });
});

describe('a type is refused, every fault with its place, for', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['unknown members', { ttl: 1, version: 'x' }, ['/ttl', '/version']],
    ['texts for numbers', { tokenTtlSeconds: '60' }, ['/tokenTtlSeconds']],
    [
      'no life',
      { tokenTtlSeconds: 0, idleTtlSeconds: -1 },
      ['/idleTtlSeconds', '/tokenTtlSeconds'],
    ],
    ['a window of hours', { refreshRetrySeconds: 301 }, ['/refreshRetrySeconds']],
    ['more jitter than a quarter', { tokenTtlJitter: 0.26 }, ['/tokenTtlJitter']],
    ['an unknown answer to the limit', { onLimit: 'panic' }, ['/onLimit']],
    ['a schema that is none', { detailsSchema: true }, ['/detailsSchema']],
    [
      'a token that outlives its session',
      { tokenTtlSeconds: 90, idleTtlSeconds: 60 },
      ['/tokenTtlSeconds'],
    ],
    ['an idle time beyond the default limit', { idleTtlSeconds: 2_592_001 }, ['/idleTtlSeconds']],
    [
      'claims that tokens have',
      { claims: ['sub', 'role', 'scope', 'role'] },
      ['/claims/0', '/claims/2', '/claims/3'],
    ],
    ['claims of prototypes', { claims: ['__proto__'] }, ['/claims/0']],
    ['too many claims', { claims: Array.from({ length: 17 }, (_, i) => `c${i}`) }, ['/claims']],
    [
      'faults of its schema',
      { detailsSchema: { properties: { a: { pattern: '(?=x)' }, b: { $ref: 'http://x' } } } },
      ['/detailsSchema/properties/a/pattern', '/detailsSchema/properties/b/$ref'],
    ],
    [
      'keywords of the wrong type',
      { detailsSchema: { properties: { a: { minLength: -1 } } } },
      ['/detailsSchema/properties/a/minLength'],
    ],
  ])('%s', async (_what, body, pointers) => {
    expect(faultyFields(await put(body))).toEqual(pointers);
    expectProblem(await get(), 'session_type_not_found');
  });

  it('one product too many of them', async () => {
    for (let i = 0; i < 256; i++) await put({}, {}, `/session-types/my-app/t${i}`);
    expectProblem(await put({}), 'session_type_limit_reached');
    expect((await put({ name: 'x' }, {}, '/session-types/my-app/t1')).statusCode).toBe(200);
  });
});

describe('a key', () => {
  const as = (key: string, method: 'GET' | 'PUT' | 'DELETE', url = ADDRESS) =>
    call(app, method, url, { key, ...(method === 'PUT' ? { body: {} } : {}) });

  it('of the product may do everything with its types', async () => {
    expect((await as('product-key', 'PUT')).statusCode).toBe(201);
    expect((await as('product-key', 'GET')).statusCode).toBe(200);
    expect((await as('product-key', 'DELETE')).statusCode).toBe(204);
  });

  it('of one environment reads types and may not change what holds in all', async () => {
    await put({});
    expect((await as('env-key', 'GET')).statusCode).toBe(200);
    expect((await as('env-key', 'GET', '/session-types/my-app')).statusCode).toBe(200);
    expectProblem(await as('env-key', 'PUT'), 'forbidden');
    expectProblem(await as('env-key', 'DELETE'), 'forbidden');
    const checking = (env: string) =>
      call(app, 'POST', `${ADDRESS}/check`, { key: 'env-key', body: { type: {}, env } });
    expect((await checking('prd')).statusCode).toBe(200);
    expectProblem(await checking('dev'), 'forbidden');
  });

  it.each(['other-key', 'no-admin-key'])('of others (%s) may do nothing', async (key) => {
    await put({});
    for (const method of ['GET', 'PUT', 'DELETE'] as const) {
      expectProblem(await as(key, method), 'forbidden');
    }
    expectProblem(await as(key, 'GET', '/session-types/my-app'), 'forbidden');
  });
});

describe('a rehearsal', () => {
  const check = (body: unknown) => call(app, 'POST', `${ADDRESS}/check`, { body });
  const begin = (details: object, userId = 'u') =>
    start(app, { data: { userId, details } as never });

  it('says how many live sessions would break a type, and nothing of what is in them', async () => {
    await begin({ username: 'kanarienvogel', plan: 'pro' });
    await begin({ plan: 'kanarienvogel', 'kanarienvogel@example.com': 1 });
    await begin({ username: 'ok', list: [{}, {}] });
    await begin({ username: 'ok' });
    const type = {
      detailsSchema: {
        properties: {
          username: { type: 'string', maxLength: 5 },
          plan: {},
          list: { items: { required: ['id'] } },
        },
        required: ['username'],
        additionalProperties: false,
      },
    };
    const answer = await check({ type, env: 'prd' });
    expect(answer.body).not.toContain('kanarienvogel');
    const { sampled, breaking, faults } = answer.json();
    expect({ sampled, breaking }).toEqual({ sampled: 4, breaking: 3 });
    expect(faults).toHaveLength(4);
    expect(faults).toEqual(
      expect.arrayContaining([
        { pointer: '/username', detail: 'must NOT have more than 5 characters', count: 1 },
        { pointer: '/username', detail: 'is required', count: 1 },
        { pointer: '/*', detail: 'is not a known member', count: 1 },
        { pointer: '/list/*/id', detail: 'is required', count: 1 },
      ]),
    );
    expectProblem(await get(), 'session_type_not_found');
  });

  it('looks at no more sessions than asked for, and at those of its environment alone', async () => {
    for (let i = 0; i < 12; i++) await begin({}, `u${i}`);
    await start(app, { env: 'dev' });
    const type = { detailsSchema: { required: ['a'] } };
    expect((await check({ type, env: 'prd', sample: 5 })).json()).toMatchObject({ sampled: 5 });
    expect((await check({ type, env: 'prd' })).json()).toMatchObject({ sampled: 12, breaking: 12 });
    expect((await check({ type, env: 'dev' })).json()).toMatchObject({ sampled: 1 });
    expect((await check({ type: {}, env: 'prd' })).json()).toEqual({
      sampled: 12,
      breaking: 0,
      faults: [],
    });
  });

  it('finds claims that do not fit into a token', async () => {
    await begin({ role: 'x'.repeat(2000) });
    expect((await check({ type: { claims: ['role'] }, env: 'prd' })).json()).toMatchObject({
      breaking: 1,
      faults: [{ pointer: '/role', count: 1 }],
    });
  });

  it('refuses a type that could not be put', async () => {
    const type = { detailsSchema: { $ref: 'http://x' }, tokenTtlSeconds: 0 };
    expect(faultyFields(await check({ type, env: 'prd', sample: 1001 }))).toEqual([
      '/sample',
      '/type/tokenTtlSeconds',
    ]);
    expect(
      faultyFields(await check({ type: { detailsSchema: { $ref: 'http://x' } }, env: 'prd' })),
    ).toEqual(['/type/detailsSchema/$ref']);
  });
});
