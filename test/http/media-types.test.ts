// Owns the proof of content negotiation: JSON in, JSON out, and nothing is guessed.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call, expectProblem, START } from './api.ts';
import { createWatchedApp, type WatchedApp } from './watched-app.ts';

let it: WatchedApp;
beforeAll(async () => {
  it = await createWatchedApp();
});
afterAll(() => it.app.close());
afterEach(() => {
  it.writes.length = 0;
});

const send = (headers: Readonly<Record<string, string>>) =>
  call(it.app, 'POST', '/sessions', { body: START, headers });

describe('a content type', () => {
  test.each([
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json-patch+json',
    'application/problem+json',
    'application/*',
    'application',
    'json',
    'application/json; charset=utf-16',
    'application/json; charset=latin1',
    'application/json; charset=utf-8; boundary=x',
    'application/json, text/plain',
    'application/json;',
    'text/plain; application/json',
    'application/xml',
    'x'.repeat(4000),
  ])('%s is 415', async (type) => {
    expectProblem(await send({ 'content-type': type }), 'unsupported_media_type');
    expect(it.writes).toEqual([]);
  });

  test.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json; charset=UTF-8',
    'application/json; charset="utf-8"',
  ])('%s is JSON', async (type) => {
    expect((await send({ 'content-type': type })).statusCode).toBe(201);
  });

  test('that is missing is 415', async () => {
    const { statusCode } = await it.app.inject({
      method: 'POST',
      url: '/sessions',
      headers: { authorization: 'Bearer root-key' },
      payload: JSON.stringify(START),
    });
    expect(statusCode).toBe(415);
    expect(it.writes).toEqual([]);
  });
});

describe('a content encoding', () => {
  test.each(['gzip', 'br', 'deflate', 'identity, gzip', 'x', 'utf-8'])(
    '%s is 415',
    async (encoding) => {
      expectProblem(await send({ 'content-encoding': encoding }), 'unsupported_media_type');
      expect(it.writes).toEqual([]);
    },
  );

  test('that changes nothing is accepted', async () => {
    expect((await send({ 'content-encoding': 'identity' })).statusCode).toBe(201);
  });
});

describe('an Accept header', () => {
  test.each(['text/html', 'application/xml', 'image/*', 'application/json;q=0'])(
    '%s is 406, and nothing is started',
    async (accept) => {
      expectProblem(await send({ accept }), 'not_acceptable');
      expect(it.writes).toEqual([]);
    },
  );

  test.each([
    '*/*',
    'application/json',
    'application/*',
    'text/html, application/json;q=0.1',
    'text/html, */*;q=0.8',
  ])('%s is answered in JSON', async (accept) => {
    const answer = await send({ accept });
    expect(answer.statusCode).toBe(201);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });
});
