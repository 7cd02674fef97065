// Owns the proof that a body which is not honest JSON is refused: what a lenient reader would change silently is named instead.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call, expectProblem, faultyFields, START } from './api.ts';
import { createWatchedApp, type WatchedApp } from './watched-app.ts';

let it: WatchedApp;
beforeAll(async () => {
  it = await createWatchedApp();
});
afterAll(() => it.app.close());
afterEach(() => {
  expect(it.writes).toEqual([]);
});

const send = (body: string | Buffer) => call(it.app, 'POST', '/sessions', { body });

const GOOD = JSON.stringify(START);
/** A start whose details are this text. */
const withDetails = (text: string) =>
  `{"product":"my-app","env":"prd","tag":"user-session","data":{"userId":"u","details":${text}}}`;
/** A start whose user id holds these bytes. */
const withBytes = (...bytes: number[]) => {
  const [before = '', behind = ''] = GOOD.split('user_123');
  return Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(behind)]);
};
const utf16 = (text: string) => Buffer.from(text, 'utf16le');

describe('a body', () => {
  const NOT_JSON: Readonly<Record<string, string | Buffer>> = {
    'that is empty': '',
    'of white space': ' \n',
    'that is cut off': GOOD.slice(0, -1),
    'with something behind it': `${GOOD}x`,
    'given twice': GOOD + GOOD,
    'with a trailing comma': GOOD.replace(/}$/, ',}'),
    'with a comment': `/* */${GOOD}`,
    'in single quotes': GOOD.replaceAll('"', "'"),
    'with bare names': '{product:"a"}',
    'with NaN': withDetails('{"a":NaN}'),
    'with Infinity': withDetails('{"a":Infinity}'),
    'with a leading zero': withDetails('{"a":01}'),
    'with a plus': withDetails('{"a":+1}'),
    'with a hexadecimal': withDetails('{"a":0x10}'),
    'with a raw line end in a text': withDetails('{"a":"\n"}'),
    'with a raw NUL in a text': withDetails('{"a":"\0"}'),
    'with a NUL behind it': `${GOOD}\0`,
    'with a byte order mark': Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(GOOD)]),
    'in UTF-16': utf16(GOOD),
    'in UTF-16 with a byte order mark': Buffer.concat([Buffer.from([0xff, 0xfe]), utf16(GOOD)]),
    'in big-endian UTF-16': utf16(GOOD).swap16(),
    'in Latin-1': withBytes(0xe9),
    'with an overlong NUL': withBytes(0xc0, 0x80),
    'with an overlong slash': withBytes(0xe0, 0x80, 0xaf),
    'with a surrogate in UTF-8': withBytes(0xed, 0xa0, 0x80),
    'with a surrogate pair in UTF-8 (CESU-8)': withBytes(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80),
    'with a character beyond Unicode': withBytes(0xf4, 0x90, 0x80, 0x80),
    'with half a character': withBytes(0xf0, 0x9f, 0x98),
    'that is a form': 'product=my-app&env=prd',
    'that is gzip': Buffer.from('1f8b0800000000000003', 'hex'),
  };

  test.each(Object.entries(NOT_JSON))('%s is refused as a whole', async (_, body) => {
    const answer = await send(body);
    expect(faultyFields(answer)).toEqual(['']);
    expect(answer.body).not.toContain('my-app');
  });

  test('that is missing is refused', async () => {
    const bare = await call(it.app, 'POST', '/sessions');
    expect(faultyFields(bare)).toEqual(['']);
  });

  test.each([
    ['arrays', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['objects', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
  ])('of thousands of nested %s is refused', async (_, body) => {
    expect(faultyFields(await send(body))).toEqual(['']);
    expect(faultyFields(await send(withDetails(body)))).toEqual(['']);
  });

  test('of 5,000 members is refused, with no more faults than anyone reads', async () => {
    const names = Array.from({ length: 3_000 }, (_, i) => `"k${i}":0`);
    expect(faultyFields(await send(`{${names}}`)).length).toBeLessThanOrEqual(32);
    expect(faultyFields(await send(withDetails(`{${names}}`)))).toEqual(['/data/details']);
  });

  test('of more than 32 KiB is 413, one of exactly 32 KiB is read', async () => {
    expectProblem(await send(GOOD.padEnd(32 * 1024 + 1)), 'content_too_large');
    const full = await send(`${GOOD.slice(0, -1)},"x":0}`.padEnd(32 * 1024));
    expect(faultyFields(full)).toEqual(['/x']);
  });
});

describe('a member given twice', () => {
  test.each([
    [GOOD.replace('"env"', '"product":"my-app","env"'), '/product'],
    [GOOD.replace('"env"', '"\\u0070roduct":"my-app","env"'), '/product'],
    [GOOD.replace('"userId"', '"userId":"admin","userId"'), '/data/userId'],
    [withDetails('{"a":1,"a":1}'), '/data/details/a'],
    [withDetails('{"a":[{},{"b":1,"c":2,"b":1}]}'), '/data/details/a/1/b'],
    [withDetails('{"":1,"":1}'), '/data/details/'],
    [withDetails('{"a\\"b":1,"a\\"b":1}'), '/data/details/a"b'],
  ])('%s is refused by name', async (body, pointer) => {
    expect(faultyFields(await send(body))).toEqual([pointer]);
  });
});

describe('a number that would not come back as it was sent', () => {
  const NUMBERS = [
    ...['1e400', '-1e400', '1E+999', '-0', '-0.0', '-0e5', '1e-400', '-1e-999'],
    ...['9007199254740992', '9007199254740993', '-9007199254740993', '1e16', '1e300'],
    '1'.repeat(400),
  ];
  test.each(NUMBERS)('%s is refused by name', async (number) => {
    expect(faultyFields(await send(withDetails(`{"a":${number}}`)))).toEqual(['/data/details/a']);
    expect(faultyFields(await send(withDetails(`[0,${number}]`)))).toContain('/data/details/1');
  });
});

describe('a dangerous text', () => {
  test.each([
    [`{"__proto__":{"product":"a"},${GOOD.slice(1)}`, ['/__proto__']],
    [withDetails('{"__proto__":{"admin":true}}'), ['/data/details/__proto__']],
    [withDetails('{"a":{"\\u005f_proto__":1}}'), ['/data/details/a/__proto__']],
    [withDetails('{"a":"\\ud800"}'), ['/data/details/a']],
    [withDetails('{"a":["x","\\udc00\\ud800"]}'), ['/data/details/a/1']],
    [withDetails('{"a":"\\ud83d\\u0041"}'), ['/data/details/a']],
  ])('%s is refused by name', async (body, pointers) => {
    expect([...new Set(faultyFields(await send(body)))]).toEqual(pointers);
    expect(Object.prototype).not.toHaveProperty('admin');
  });

  test('that is a name with a lone surrogate is refused, and the answer is well-formed', async () => {
    const answer = await send(withDetails('{"\\ud800":1}'));
    expect(faultyFields(answer)).toHaveLength(1);
    expect(answer.body.isWellFormed()).toBe(true);
  });
});

describe('a body with thousands of faults', () => {
  const many = (count: number, text: string) => Array.from({ length: count }, () => text).join(',');

  test('is told 32 of them, wherever they are, and no name longer than is worth sending back', async () => {
    const name = 'n'.repeat(16_000);
    const answer = await send(`{"${name}":[${many(5200, '-0')}]}`);
    expect(faultyFields(answer)).toHaveLength(32);
    expect(answer.body.length).toBeLessThan(16_000);
  });

  test('or with a name cut between two halves of a character, is still told in well-formed text', async () => {
    const answer = await send(`{"${'n'.repeat(254)}😀":{"b":-0}}`);
    for (const pointer of faultyFields(answer)) expect(pointer.isWellFormed()).toBe(true);
  });
});
