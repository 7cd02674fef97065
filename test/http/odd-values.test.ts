// Owns the proof that what is accepted comes back byte for byte, however odd it looks.

import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { addressOf, call, faultyFields, listed, type Pair, post, START, type View } from './api.ts';

let it: TestApp;
beforeAll(async () => {
  it = await createTestApp();
});
afterAll(() => it.app.close());

const startAs = async (userId: string): Promise<Pair> => {
  const answer = await post(it.app, '/sessions', { ...START, data: { userId } });
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Pair>();
};

const USER_IDS = [
  ...['*', '?', '[a-z]', 'a:b', '{', '}', '{my-app:prd:5f}', 'session:{my-app:prd:5f}:x', '\\'],
  ...['a b', ' a', 'a ', '%', '%2F', '%00', 'a/b', '/', '../..', '...', 'a/../b', '?a=b&c=d', '#'],
  ...['a+b', 'auth0|5f7c8ec7c33c6c004bbafe82', 'jane@example.com', '"quoted"', "' OR 1=1 --"],
  ...['é', 'e\u0301', 'ﬁ', '用户', '👩‍👩‍👧', '\u202eadmin', '\u200b', '\u2028', '\ufeff', '\ufffd'],
  ...['__proto__', 'constructor', 'null', 'undefined', '0', '\u00a0', '\ufffe', '\u{10ffff}'],
  ...['u'.repeat(256), '😀'.repeat(256), '$&', '\r\nx: y'.replace(/\p{Cc}/gu, ' ')],
];

describe('a user id', () => {
  test.each(USER_IDS)('%j names its user in every call, and nobody else', async (userId) => {
    const { sessionId, token } = await startAs(userId);
    expect(decodeJwt(token).sub).toBe(userId);
    const verdict = (await post(it.app, '/sessions/verify', { token })).json<View>();
    expect(verdict.data.userId).toBe(userId);
    const read = (await call(it.app, 'GET', addressOf(sessionId))).json<View>();
    expect(read.data.userId).toBe(userId);
    const inUrl = encodeURIComponent(userId);
    const list = await call(it.app, 'GET', `/sessions/my-app/prd/user-session?userId=${inUrl}`);
    expect(list.json<{ sessions: View[] }>().sessions).toEqual([read]);
    const ended = await call(it.app, 'DELETE', `/users/my-app/prd/${inUrl}/sessions`);
    expect(ended.json(), ended.body).toEqual({ revoked: 1 });
    expect(await listed(it.app)).toEqual([]);
  });

  test('that only looks like another is another user', async () => {
    const lookalikes = ['é', 'e\u0301', 'E', 'e', 'e ', ' e', '\u0435', 'e\u200b'];
    for (const userId of lookalikes) await startAs(userId);
    for (const userId of lookalikes) {
      const url = `/users/my-app/prd/${encodeURIComponent(userId)}/sessions`;
      expect((await call(it.app, 'DELETE', url)).json()).toEqual({ revoked: 1 });
    }
  });
});

describe('labels', () => {
  test.each([
    ['a', 'A', '0'],
    ['a.b', 'a-b', 'a_b'],
    ['p'.repeat(64), 'e'.repeat(64), 't'.repeat(64)],
    ['refresh', 'verify', 'revoke'],
    ['constructor', 'toString', 'hasOwnProperty'],
    ['a..', 'a--', 'a__'],
  ])('%s/%s/%s are kept as they are, case and all', async (product, env, tag) => {
    const place = { product, env, tag };
    const answer = await post(it.app, '/sessions', { ...place, data: { userId: 'u' } });
    const address = String(answer.headers.location);
    expect(address).toBe(`/sessions/${product}/${env}/${tag}/${answer.json<Pair>().sessionId}`);
    expect((await call(it.app, 'GET', address)).json()).toMatchObject(place);
    expect((await call(it.app, 'DELETE', address)).statusCode).toBe(204);
  });
});

describe('details', () => {
  const roundTrip = async (details: string): Promise<unknown> => {
    const body = `{"product":"my-app","env":"prd","tag":"t","data":{"userId":"u","details":${details}}}`;
    const answer = await post(it.app, '/sessions', body);
    expect([201, 400], answer.body).toContain(answer.statusCode);
    if (answer.statusCode === 400) {
      for (const pointer of faultyFields(answer)) expect(pointer).toMatch(/^\/data\/details/);
      return undefined;
    }
    const read = await call(it.app, 'GET', String(answer.headers.location));
    return read.json<View>().data.details;
  };

  test.each([
    '{}',
    '{"a":null,"b":true,"c":[],"d":{},"e":""}',
    '{"a":9007199254740991,"b":-9007199254740991,"c":0,"d":0.1,"e":5e-324,"f":1.5e-7,"g":100}',
    '{"a":"\\u0000\\u001f\\u007f\\ud83d\\ude00\\u2028","\\u0000":1,"":2}',
    '{"constructor":1,"prototype":2,"toString":3,"hasOwnProperty":4,"valueOf":5,"toJSON":6}',
    '{"a":{"b":{"c":{"d":{"e":{"f":{"g":{}}}}}}}}',
    `{${Array.from({ length: 256 }, (_, i) => `"${i}":${i}`)}}`,
    `{"a":"${'x'.repeat(8192 - 8)}"}`,
    `{"a":"${'é'.repeat(4092)}"}`,
  ])('%.60s come back equal', async (details) => {
    expect(await roundTrip(details)).toEqual(JSON.parse(details));
  });

  test('keep the order of their members as JSON has it', async () => {
    expect(JSON.stringify(await roundTrip('{"z":1,"a":2,"m":{"y":1,"b":2}}'))).toBe(
      '{"z":1,"a":2,"m":{"y":1,"b":2}}',
    );
  });

  test('of any shape come back equal or are refused by name, never changed', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' })),
        async (details) => {
          const text = JSON.stringify(details);
          const back = await roundTrip(text);
          if (back === undefined) return;
          accepted++;
          expect(JSON.stringify(back)).toBe(text);
        },
      ),
      { numRuns: 200 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});
