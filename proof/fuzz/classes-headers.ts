// Owns odd headers and every wrong form of an API key.

import { draftOf } from './bases.ts';
import { always, type FuzzClass, type Tools } from './fuzz-class.ts';
import { type Draft, type Header, header, without } from './request.ts';

const HEADERS: readonly ((draft: Draft, tools: Tools) => Draft)[] = [
  (draft, { random }) => header(draft, 'x-long', 'x'.repeat(random.pick([4000, 12_000, 17_000]))),
  (draft, { random }) => ({
    ...draft,
    headers: [
      ...draft.headers,
      ...Array.from({ length: random.pick([50, 500, 2500]) }, (_, at): Header => [`x${at}`, '']),
    ],
  }),
  (draft, { random }) =>
    header(
      draft,
      'expect',
      random.pick(['100-continue', 'foo', '', '100-continue, foo', '200-ok']),
    ),
  (draft, { random }) =>
    header(
      draft,
      'accept',
      random.pick([
        'text/html',
        'image/*',
        '*/*;q=0',
        'application/json;q=0',
        '',
        ',',
        '/',
        '*',
        'x'.repeat(9000),
        'a/b,'.repeat(2000),
        'application/*',
        'application/json;q=nan',
      ]),
    ),
  (draft, { random }) =>
    header(
      draft,
      'host',
      random.pick([
        '',
        'evil.example',
        'a b',
        '\xff',
        '127.0.0.1:99999',
        'x@y',
        '[::',
        'x'.repeat(3000),
      ]),
    ),
  (draft) => without(draft, 'host'),
  (draft) => ({ ...draft, headers: [...draft.headers, ['host', 'another']] }),
  (draft, { random }) => ({
    ...draft,
    headers: [
      ...draft.headers,
      ['connection', 'Upgrade'],
      ['upgrade', random.pick(['websocket', 'h2c', 'TLS/1.3', '', 'x,y'])],
    ],
  }),
  (draft, { random }) =>
    header(
      draft,
      random.pick([
        'x-forwarded-for',
        'forwarded',
        'x-real-ip',
        'x-forwarded-host',
        'x-forwarded-proto',
        'via',
        'x-original-url',
        'x-rewrite-url',
        'request-id',
        'x-request-id',
        'traceparent',
        'cookie',
        'origin',
        'range',
        'if-match',
        'if-none-match',
        'if-modified-since',
        'te',
        'trailer',
        'accept-version',
        'accept-encoding',
        'accept-charset',
        '__proto__',
        'constructor',
        'x-x',
      ]),
      random.pick([
        '127.0.0.1',
        '__proto__',
        '/livez',
        'a\tb',
        '\xff\xfe',
        '*',
        '"',
        'for=[::',
        'bytes=0-',
        '{"level":60}',
        '1.x',
        '',
        ' ',
        ',,,',
        'x'.repeat(5000),
      ]),
    ),
  (draft, { random }) =>
    header(
      draft,
      'connection',
      random.pick([
        'close',
        'authorization',
        'keep-alive, content-type',
        '',
        'close, close',
        'x'.repeat(999),
      ]),
    ),
];

const KEYS: readonly ((key: string, tools: Tools) => string | undefined)[] = [
  () => undefined,
  () => '',
  () => 'Bearer',
  () => 'Bearer ',
  () => 'Bearer null',
  () => 'Bearer undefined',
  () => 'Bearer __proto__',
  () => 'Bearer *',
  (key) => key,
  (key) => `Basic ${Buffer.from(`:${key}`).toString('base64')}`,
  (key) => `Token ${key}`,
  (key) => `Bearer  ${key}`,
  (key) => `Bearer\t${key}`,
  (key) => `Bearer ${key} ${key}`,
  (key) => `Bearer ${key},${key}`,
  (key) => `Bearer "${key}"`,
  (key) => `Bearer, ${key}`,
  (key) => `Bearer=${key}`,
  (key) => `${key} Bearer`,
  (key) => `Bearer ${key}\0`.replace('\0', '\u00a0'),
  (key) => `Bearer ${key}\xff`,
  (key) => `Bearer ${key.toUpperCase()}`,
  (key) => `Bearer ${[...key].reverse().join('')}`,
  (key, { random }) => `Bearer ${key.slice(0, random.below(key.length))}`,
  (key, { random }) => `Bearer ${key}${random.pick(['x', '=', '0', '.', '%00', '%20'])}`,
  (_, { random }) => `Bearer ${random.bytes(32).toString('base64url')}`,
  (_, { random }) =>
    `Bearer ${random
      .bytes(40)
      .toString('latin1')
      .replaceAll(/[\0\r\n]/g, 'x')}`,
  (_, { random }) => `Bearer ${'k'.repeat(random.pick([1, 1000, 9000]))}`,
  (_, { fixtures }) => `Bearer ${fixtures.pair.token}`,
  (_, { fixtures }) => `Bearer ${fixtures.pair.refreshToken}`,
];

export const headerClasses: readonly FuzzClass[] = [
  {
    name: 'headers',
    mixed: true,
    applies: always,
    mutate(base, tools) {
      const draft = draftOf(base, tools.fixtures.rootKey);
      return { draft: tools.random.pick(HEADERS)(draft, tools), expects: 'any' };
    },
  },
  {
    name: 'API key forms',
    mixed: false,
    applies: ({ operation }) => operation.needsKey,
    mutate(base, tools) {
      const { random, fixtures } = tools;
      const draft = without(draftOf(base, fixtures.rootKey), 'authorization');
      const value = random.pick(KEYS)(fixtures.rootKey, tools);
      if (value !== undefined) {
        return { draft: header(draft, 'authorization', value), expects: 'refusal' };
      }
      const elsewhere = random.pick(['x-api-key', 'proxy-authorization', 'cookie', 'api-key']);
      const moved = header(draft, elsewhere, `Bearer ${fixtures.rootKey}`);
      const glue = draft.target.includes('?') ? '&' : '?';
      const target = `${draft.target}${glue}access_token=${fixtures.rootKey}`;
      return { draft: random.pick([draft, moved, { ...draft, target }]), expects: 'refusal' };
    },
  },
];
