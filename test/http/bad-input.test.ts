// Owns the proof that a body of the wrong shape is refused with every faulty field named at once, and that nothing is written.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call, faultyFields, post, START } from './api.ts';
import { createWatchedApp, type WatchedApp } from './watched-app.ts';

let it: WatchedApp;
beforeAll(async () => {
  it = await createWatchedApp();
});
afterAll(() => it.app.close());
afterEach(() => {
  expect(it.writes).toEqual([]);
});

/** Bodies that would be accepted, each with the members it consists of and the type of each. */
const BODIES = [
  { url: '/sessions', body: START },
  { url: '/sessions/refresh', body: { refreshToken: 'smr_x' } },
  { url: '/sessions/verify', body: { token: 'x', product: 'a', env: 'b', tag: 'c' } },
  { url: '/sessions/revoke', body: { token: 'x' } },
  { url: '/sessions/revoke', body: { refreshToken: 'smr_x' } },
];

const SAMPLES = {
  null: null,
  boolean: true,
  number: 1,
  string: 'x',
  array: ['user_123'],
  object: { x: 'x' },
};

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Every place in a value, as the names that lead to it; the value itself first. Does not look into details. */
function placesIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (!isObject(value) || path.at(-1) === 'details') return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...path, name])),
  ];
}

/** A copy of `value` with what is at `path` replaced; removed if `by` is undefined. */
function changed(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  const { [name]: inner, ...others } = value as Json;
  const next = changed(inner, rest, by);
  return next === undefined ? others : { ...others, [name]: next };
}

const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => (inner as Json)[name], value);

const pointerOf = (path: readonly string[]) => path.map((name) => `/${name}`).join('');

const positions = BODIES.flatMap(({ url, body }) =>
  placesIn(body).map((path) => ({ url, body, path, at: pointerOf(path) || '(the body)' })),
);

describe.each(positions)('$at of $url', ({ url, body, path }) => {
  const pointer = pointerOf(path);
  const fits = isObject(valueAt(body, path)) ? 'object' : 'string';

  test.each(Object.entries(SAMPLES).filter(([type]) => type !== fits))(
    'is refused as %s',
    async (_, value) => {
      const answer = await post(it.app, url, changed(body, path, value));
      expect(faultyFields(answer)).toEqual([pointer]);
    },
  );
});

describe('a missing member', () => {
  test.each([
    ['/sessions', {}, ['/data', '/env', '/product', '/tag']],
    ['/sessions', { ...START, data: {} }, ['/data/userId']],
    ['/sessions', { product: 'a' }, ['/data', '/env', '/tag']],
    ['/sessions/refresh', {}, ['/refreshToken']],
    ['/sessions/verify', { product: 'a' }, ['/token']],
    ['/sessions/revoke', {}, ['']],
  ])('of %s %j is named', async (url, body, pointers) => {
    expect(faultyFields(await post(it.app, url, body))).toEqual(pointers);
  });
});

describe('a member too many', () => {
  test.each([
    ['/sessions', { ...START, userId: 'x' }, ['/userId']],
    ['/sessions', { ...START, Product: 'x', ttl: 1 }, ['/Product', '/ttl']],
    ['/sessions', { ...START, data: { ...START.data, role: 'x' } }, ['/data/role']],
    ['/sessions', { ...START, constructor: 1, 'a/b~c': 1 }, ['/a~1b~0c', '/constructor']],
    ['/sessions', { ...START, '': 1 }, ['/']],
    ['/sessions/refresh', { refreshToken: 'x', token: 'x' }, ['/token']],
    ['/sessions/verify', { token: 'x', userId: 'x' }, ['/userId']],
  ])('of %s %j is named', async (url, body, pointers) => {
    expect(faultyFields(await post(it.app, url, body))).toEqual(pointers);
  });

  test('is refused where exactly one of two may be', async () => {
    const both = { token: 'x', refreshToken: 'x' };
    expect(faultyFields(await post(it.app, '/sessions/revoke', both))).toEqual(['']);
  });

  test('with a name of 30,000 characters is refused without sending the name back', async () => {
    const answer = await post(it.app, '/sessions', { ...START, ['n'.repeat(30_000)]: 1 });
    expect(faultyFields(answer)).toHaveLength(1);
    expect(answer.body.length).toBeLessThan(2000);
  });
});

describe('many members too many', () => {
  const unknown = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 0]));

  test.each([7, 8, 9, 20, 100, 1000])('are refused: %i', async (count) => {
    const { data } = START;
    const named = Math.min(count, 32);
    for (const [url, body] of [
      ['/sessions', { ...START, ...unknown(count) }],
      ['/sessions', { ...START, data: { ...data, ...unknown(count) } }],
      ['/sessions', { ...unknown(count), ...START, data: { ...data, ...unknown(count) } }],
      ['/sessions/refresh', { refreshToken: 'x', ...unknown(count) }],
      ['/sessions/verify', { token: 'x', ...unknown(count) }],
    ] as const) {
      expect(faultyFields(await post(it.app, url, body)).length).toBeGreaterThanOrEqual(named);
    }
  });

  test('hide no other fault from being refused', async () => {
    const body = { ...unknown(200), product: '{*}', env: {}, tag: 5, data: { userId: [] } };
    expect(faultyFields(await post(it.app, '/sessions', body)).length).toBe(32);
  });

  test('in a query are refused too', async () => {
    const query = Object.keys(unknown(40))
      .map((name) => `${name}=0`)
      .join('&');
    const list = await call(it.app, 'GET', `/sessions/my-app/prd/t?limit=1000000&${query}`);
    expect(faultyFields(list).length).toBe(32);
    const url = `/users/my-app/prd/u/sessions?${query}`;
    expect(faultyFields(await call(it.app, 'DELETE', url)).length).toBe(32);
  });
});

describe('a label', () => {
  const BAD = ['', '-a', '.a', '_a', 'a b', 'a/b', 'a:b', 'a{b}', 'a*', 'é', 'a\n', 'a\0', '..'];
  test.each([...BAD, 'a'.repeat(65)])('%j is refused as product, env and tag', async (text) => {
    const body = { ...START, product: text, env: text, tag: text };
    expect(faultyFields(await post(it.app, '/sessions', body))).toEqual([
      '/env',
      '/product',
      '/tag',
    ]);
    const expected = { token: 'x', product: text, env: text, tag: text };
    expect(faultyFields(await post(it.app, '/sessions/verify', expected))).toEqual([
      '/env',
      '/product',
      '/tag',
    ]);
  });
});

describe('a user id', () => {
  const BAD = ['', '.', '..', '\0', 'a\0b', 'a\nb', '\t', '\x1b[31m', '\x7f', '\x85', '\x9f'];
  const LONE = ['\ud800', '\udfff', 'a\ud83d', '\udca9\ud83d'];
  test.each([...BAD, ...LONE, 'u'.repeat(257), '😀'.repeat(257)])(
    '%j is refused',
    async (userId) => {
      const answer = await post(it.app, '/sessions', { ...START, data: { userId } });
      expect(new Set(faultyFields(answer))).toEqual(new Set(['/data/userId']));
    },
  );
});

describe('details', () => {
  const nested = (depth: number): unknown => (depth === 1 ? {} : { a: nested(depth - 1) });
  const wide = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 0]));

  test.each([
    ['nested 9 levels deep', nested(9)],
    ['nested 9 levels deep in arrays', { a: [[[[[[[[]]]]]]]] }],
    ['with 257 members', wide(257)],
    ['with 257 members over two levels', { a: wide(128), b: wide(127) }],
    ['of 8,193 bytes', { a: 'x'.repeat(8193 - 8) }],
    ['of 8,193 bytes in two-byte characters', { a: `${'é'.repeat(4092)}x` }],
  ])('%s are refused', async (_, details) => {
    const answer = await post(it.app, '/sessions', { ...START, data: { userId: 'u', details } });
    expect(faultyFields(answer)).toEqual(['/data/details']);
  });
});

test('all faults of a body are named at once', async () => {
  const body = { product: '', env: null, data: { userId: 5, details: [], role: 'x' }, extra: 1 };
  expect(faultyFields(await post(it.app, '/sessions', body))).toEqual([
    '/data/details',
    '/data/role',
    '/data/userId',
    '/env',
    '/extra',
    '/product',
    '/tag',
  ]);
});
