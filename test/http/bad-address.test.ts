// Owns the proof that paths, queries, cursors, methods and media types other than the contract's are refused by name.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/test-app.ts';
import {
  addressOf,
  call,
  expectAnyProblem,
  expectProblem,
  faultyFields,
  listed,
  type Method,
  post,
  START,
  start,
} from './api.ts';
import { createWatchedApp, type WatchedApp } from './watched-app.ts';

let it: WatchedApp;
let sessionId: string;
beforeAll(async () => {
  it = await createWatchedApp();
  ({ sessionId } = await start(it.app));
  await start(it.app, { data: { ...START.data, userId: 'other' } });
  await start(it.app);
  it.writes.length = 0;
});
afterAll(() => it.app.close());
afterEach(() => {
  expect(it.writes).toEqual([]);
});

const LIST = '/sessions/my-app/prd/user-session';
const get = (url: string) => call(it.app, 'GET', url);

describe('a path', () => {
  test.each([
    '/',
    '/sessions/',
    '//sessions',
    '/Sessions',
    '/sessions.json',
    '/sessions/my-app',
    '/sessions/my-app/prd',
    '/sessions/my-app/prd/user-session/',
    '/sessions/my-app/prd/user-session/x/',
    '/sessions/my-app/prd/user-session/x/y',
    '/sessions/my-app//user-session',
    '/sessions/my-app/prd%2Fuser-session',
    '/sessions/my-app/prd/user-session;a=b',
    '/sessions/my-app/prd/user-session%00',
    '/sessions/my-app/prd/user-session/%00',
    '/sessions/my-app/prd/user-session/..%2F..%2Fmetrics',
    '/sessions/my-app/prd/user-session/%2F',
    '/sessions/my-app/prd/%252e%252e',
    '/sessions/my-app/prd/%EF%BC%8E',
    '/sessions/my-app/prd/%',
    '/sessions/my-app/prd/%ff',
    '/sessions/my-app/prd/%C0%AE%C0%AE',
    '/sessions/my-app/prd/%ED%A0%80',
    '/users/my-app',
    '/users/my-app/prd/u/',
    '/stats/my-app',
    '/users/my-app/prd//sessions',
    '/metrics/',
    '/metrics%00',
    '/.env',
  ])('%s leads nowhere', async (url) => {
    for (const method of ['GET', 'DELETE'] as const) {
      const answer = await call(it.app, method, url);
      expectAnyProblem(answer, ['not_found', 'invalid_request', 'method_not_allowed']);
    }
  });

  test('is too long beyond 8 KiB, wherever its length lies', async () => {
    const long = 'x'.repeat(8 * 1024);
    for (const url of [`/${long}`, `${LIST}/${long}`, `${LIST}?userId=${long}`]) {
      expectProblem(await get(url), 'uri_too_long');
    }
    expectAnyProblem(await get(`${LIST}/${'x'.repeat(4000)}`), ['uri_too_long', 'invalid_request']);
  });

  test('with a faulty part and a faulty query is told all of it at once', async () => {
    const list = await get('/sessions/-a/b:c/%20?limit=0&userId=&cursor=&page=2');
    expect(faultyFields(list)).toEqual([
      ...['/path/env', '/path/product', '/path/tag'],
      ...['/query/cursor', '/query/limit', '/query/page', '/query/userId'],
    ]);
    const url = '/users/-a/b:c/%00/sessions?tag=*&except=a.b&all=1';
    expect(faultyFields(await call(it.app, 'DELETE', url))).toEqual([
      ...['/path/env', '/path/product', '/path/userId'],
      ...['/query/all', '/query/except', '/query/tag'],
    ]);
  });
});

describe('a query', () => {
  test.each([
    ['limit=1&limit=2', ['/query/limit']],
    ['limit=1&limit=1', ['/query/limit']],
    ['userId=a&userId=b', ['/query/userId']],
    ['cursor=a&cursor=b', ['/query/cursor']],
    ['limit[]=1', ['/query/limit[]']],
    ['limit[a]=1', ['/query/limit[a]']],
    ['Limit=1', ['/query/Limit']],
    ['userid=a', ['/query/userid']],
    ['__proto__=1', ['/query/__proto__']],
    ['constructor=1&toString=2', ['/query/constructor', '/query/toString']],
    ['limit=1;userId=b', ['/query/limit']],
    ['userId', ['/query/userId']],
    ['userId=%00', ['/query/userId']],
    ['userId=a%0Ab', ['/query/userId']],
    ['userId=..', ['/query/userId']],
    ['userId=%ff', ['/query']],
    ['userId=%ED%A0%80', ['/query']],
    ['userId=%', ['/query']],
    ['userId=%C3&limit=%A9', ['/query', '/query/limit']],
    ['%ff=1', ['/query', '/query/%ff']],
    [`userId=${'u'.repeat(257)}`, ['/query/userId']],
  ])('?%s is refused by name', async (query, pointers) => {
    expect(faultyFields(await get(`${LIST}?${query}`))).toEqual(pointers);
  });

  test('of a call that has none is refused with the faults of the body', async () => {
    const started = await post(it.app, '/sessions?product=a', { ...START, env: 1 });
    expect(faultyFields(started)).toEqual(['/env', '/query/product']);
    const read = await get(`${addressOf(sessionId)}?userId=other`);
    expect(faultyFields(read)).toEqual(['/query/userId']);
    const ended = await call(it.app, 'DELETE', `${addressOf(sessionId)}?except=${sessionId}`);
    expect(faultyFields(ended)).toEqual(['/query/except']);
  });
});

test('a probe may be sent with any query', async () => {
  for (const url of ['/livez?a=1', '/readyz?a=1', '/.well-known/jwks.json?a=1']) {
    expect((await call(it.app, 'GET', url, { key: null })).statusCode).toBe(200);
  }
});

describe('a cursor', () => {
  const cursorOf = async (query: string, app = it.app) => {
    const list = await call(app, 'GET', `${LIST}?limit=1${query}`);
    return list.json<{ nextCursor: string }>().nextCursor;
  };
  const expectNoCursor = async (cursor: string, list = `${LIST}?`) =>
    expect(faultyFields(await get(`${list}&cursor=${encodeURIComponent(cursor)}`))).toEqual([
      '/query/cursor',
    ]);

  test('that we did not make is refused', async () => {
    const cursor = await cursorOf('');
    const { refreshToken } = await start(it.app);
    it.writes.length = 0;
    for (const forged of [
      ...['x', '0', '[]', 'bnVsbA', '{"bucket":0}', '....', cursor.slice(0, -1), `${cursor}=`],
      ...[` ${cursor}`, cursor.toLowerCase(), cursor.replace('..', '.A.'), refreshToken],
      ...[refreshToken.slice(4), sessionId, 'x'.repeat(5000)],
    ]) {
      await expectNoCursor(forged);
    }
  });

  test('of another list, user or secret is refused', async () => {
    const cursor = await cursorOf('');
    const ofUser = await cursorOf('&userId=user_123');
    await expectNoCursor(cursor, '/sessions/my-app/prd/checkout-flow?');
    await expectNoCursor(cursor, '/sessions/my-app/dev/user-session?');
    await expectNoCursor(cursor, '/sessions/other/prd/user-session?');
    await expectNoCursor(cursor, `${LIST}?userId=user_123`);
    await expectNoCursor(ofUser, `${LIST}?userId=other`);
    await expectNoCursor(ofUser);
    const elsewhere = await createTestApp({ secrets: ['another-secret-of-32-bytes-or-more'] });
    await start(elsewhere.app);
    await start(elsewhere.app);
    await expectNoCursor(await cursorOf('', elsewhere.app));
    await elsewhere.app.close();
  });
});

describe('a method', () => {
  test.each([
    ['/sessions', 'POST'],
    ['/sessions/refresh', 'POST'],
    ['/sessions/verify', 'POST'],
    ['/sessions/revoke', 'POST'],
    [LIST, 'GET, HEAD'],
    [`${LIST}/x`, 'DELETE, GET, HEAD, PATCH'],
    ['/users/my-app/prd', 'GET, HEAD'],
    ['/users/my-app/prd/u', 'DELETE, GET, HEAD'],
    ['/stats/my-app/prd', 'GET, HEAD'],
    ['/users/my-app/prd/u/sessions', 'DELETE'],
    ['/metrics', 'GET, HEAD'],
    ['/livez', 'GET, HEAD'],
    ['/readyz', 'GET, HEAD'],
    ['/.well-known/jwks.json', 'GET, HEAD'],
    ['/.well-known/oauth-authorization-server', 'GET, HEAD'],
    ['/.well-known/openid-configuration', 'GET, HEAD'],
  ])('that %s does not know is 405 and told to use %s', async (url, allow) => {
    const methods: Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
    for (const method of methods.filter((each) => !allow.split(', ').includes(each))) {
      const answer = await call(it.app, method, url, { key: null });
      expectProblem(answer, 'method_not_allowed');
      expect(answer.headers['allow']).toBe(allow);
    }
  });

  test('cannot be overridden by a header or the query', async () => {
    const before = await listed(it.app);
    for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      const headers = { [name]: 'DELETE' };
      expect((await call(it.app, 'GET', addressOf(sessionId), { headers })).statusCode).toBe(200);
    }
    expect(faultyFields(await get(`${addressOf(sessionId)}?_method=DELETE`))).toHaveLength(1);
    expect(await listed(it.app)).toEqual(before);
  });
});
