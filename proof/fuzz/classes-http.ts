// Owns bad use of HTTP: content types and encodings, methods, headers, API keys.

import { METHODS } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { draftOf } from './bases.ts';
import { always, type FuzzClass, hasBody, type Tools } from './fuzz-class.ts';
import { type Draft, type Header, header, without } from './request.ts';

const TYPES = [
  ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '*/*'],
  ...[
    'application/json5',
    'application/jsonp',
    'application/merge-patch+json',
    'text/json',
    ' ',
    '',
  ],
  ...['application/json; charset=utf-16', 'application/json; charset=latin1', 'application/json;'],
  ...['application/json, text/plain', 'application/json text/plain', 'application/json; a=b', ';'],
  ...[
    'application/problem+json',
    'application/vnd.api+json',
    'application',
    'application/',
    '/json',
  ],
  ...['application/json; charset=utf-8; charset=utf-16', 'application/json\u00a0', '\xff\xfe'],
  ...['__proto__', 'constructor', 'x'.repeat(5000)],
];
/** Not what RFC 9110 allows, but taken by the service; harmless, as the body is read as UTF-8 in any case. */
const LENIENT_TYPES = ['application/json; charset="utf-8', 'application/json; charset=utf-8"'];
const ENCODINGS = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress', 'gzip, identity', 'GZIP'];
const OVERRIDES = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', '_method'];
const ODD_METHODS = [
  'BREW',
  'get',
  'Post',
  'GETX',
  'CONNECT',
  'PRI',
  'TRACK',
  'DEBUG',
  '__proto__',
];

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

export const httpClasses: readonly FuzzClass[] = [
  {
    name: 'content types',
    mixed: true,
    applies: always,
    mutate(base, { random, fixtures }) {
      const draft = draftOf(base, fixtures.rootKey);
      const type = random.pick([...TYPES, ...LENIENT_TYPES]);
      if (random.below(12) === 0 && hasBody(base)) {
        return { draft: without(draft, 'content-type'), expects: 'refusal' };
      }
      // White space alone is no value: the service may see no type at all, or an empty one.
      const plain = type.trim() === '' && !hasBody(base);
      const sent = header(draft, 'content-type', type);
      const open = !hasBody(base) || plain || LENIENT_TYPES.includes(type);
      return { draft: sent, expects: open ? 'any' : 'refusal' };
    },
  },
  {
    name: 'content encoding',
    mixed: false,
    applies: hasBody,
    mutate(base, { random, fixtures }) {
      const draft = draftOf(base, fixtures.rootKey);
      const body = draft.body ?? Buffer.alloc(0);
      const pack = random.pick([gzipSync, deflateSync, brotliCompressSync, (same: Buffer) => same]);
      const huge = random.below(20) === 0 ? Buffer.alloc(2_000_000) : body;
      const packed = { ...draft, body: pack === gzipSync ? gzipSync(huge) : pack(body) };
      const sent = header(packed, 'content-encoding', random.pick(ENCODINGS));
      return { draft: sent, expects: 'refusal' };
    },
  },
  {
    name: 'methods',
    mixed: true,
    applies: always,
    mutate(base, { random, fixtures }) {
      const draft = draftOf(base, fixtures.rootKey);
      const method = random.pick([...METHODS, ...ODD_METHODS]);
      const target = method === 'CONNECT' ? random.pick(['fuzz:80', draft.target]) : draft.target;
      return { draft: { ...draft, method, target }, expects: 'any', anyRoute: true };
    },
  },
  {
    name: 'override headers',
    mixed: true,
    applies: always,
    mutate(base, { random, fixtures }) {
      const method = random.pick(['DELETE', 'POST', 'PUT', 'PATCH', 'GET', 'HEAD', 'x']);
      const draft = draftOf(base, fixtures.rootKey);
      const sent = header(draft, random.pick(OVERRIDES), method);
      // A safe method stays safe, whatever is said beside it: that is judged by the store.
      const head = random.below(4) === 0 && draft.method === 'GET';
      return { draft: head ? { ...sent, method: 'HEAD' } : sent, expects: 'any' };
    },
  },
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
