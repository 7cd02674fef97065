// Owns bad use of HTTP: content types and encodings, methods, headers that would override them.

import { METHODS } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { draftOf } from './bases.ts';
import { always, type FuzzClass, hasBody } from './fuzz-class.ts';
import { header, without } from './request.ts';

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
      const good = base.operation.mediaTypes.has(type);
      const open = !hasBody(base) || plain || good || LENIENT_TYPES.includes(type);
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
];
