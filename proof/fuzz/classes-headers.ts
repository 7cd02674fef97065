// Owns odd headers of any request.

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
];
