// Owns bad text: lengths, controls, surrogates, bidi, metacharacters, log injection, and bytes that are no UTF-8.

import { type Base, draftOf, encodeText, textFits } from './bases.ts';
import { type FuzzClass, hasBody, type Tools } from './fuzz-class.ts';
import { mayFit, type TextPlace, textPlaces, valueAt, withRaw, withText } from './places.ts';
import type { Random } from './random.ts';

const LENGTHS = [0, 1, 2, 63, 64, 65, 66, 255, 256, 257, 258, 767, 768, 769, 1024, 8192, 30_000];
const LETTERS = ['a', 'é', '漢', '😀', '-', '.', ' '];

const CONTROLS = ['\0', '\x01', '\b', '\t', '\n', '\r', '\x1b', '\x1b[31m', '\x7f', '\x85', '\x9f'];
const LONE = ['\ud800', '\udbff', '\udc00', '\udfff', '\udca9\ud83d', '\ud83d'];
const BIDI = [
  ...['\u202e', '\u202d', '\u2066', '\u2069', '\u200f', '\u200b', '\u200d', '\ufeff', '\u2028'],
  ...['\u2029', '\u00ad', '\u0301', '\ufffd', '\uffff', '\ufdd0', '\u{e0001}', '\u{10ffff}', 'ﷺ'],
  ...['ａ', 'ı', 'İ', 'ß', 'ﬀ', 'е', '\u212a', '\u{1f468}\u200d\u{1f469}', '\u034f'],
];
const METACHARACTERS = [
  ...[':', '{', '}', '*', '?', '[', ']', '{}', '{a}', '}{', '[a-z]', '*:*', '\\', '"', "'", '^'],
  ...['\r\nFLUSHALL\r\n', '*1\r\n$8\r\nFLUSHALL\r\n', '{my-app:prd:00}', 'session:{a:b:00}:c:d'],
  ...[
    '\\x00',
    '%00',
    '$(id)',
    '`id`',
    "' OR 1=1--",

    '{{7*7}}',
    '../',
    '%s%n',
    'redis.call',
  ],
];
const LOG_LINES = [
  '\n{"level":60,"msg":"forged"}\n',
  '\r\n{"level":60}',
  '"}\n{"msg":"forged"',
  '\u2028{"msg":"forged"}',
  '\x1b]0;title\x07\x1b[2J',
  '%s %o %j %O %d',
  '","msg":"forged","x":"',
];

const around = ({ random }: Tools, piece: string): string =>
  random.pick([piece, `a${piece}`, `${piece}a`, `a${piece}b`, piece.repeat(3)]);

/** How JSON may spell a text: as it is, or all escaped. */
const escaped = (text: string): string =>
  `"${Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"`;

function draftWith(base: Base, place: TextPlace, text: string, { random, fixtures }: Tools) {
  const changedBase = withText(base, place, text);
  const raw =
    place.where === 'body' && random.below(2) === 0
      ? withRaw(base.body, place.path, escaped(text))
      : undefined;
  return draftOf(raw === undefined ? changedBase : base, fixtures.rootKey, raw);
}

const hasText = (base: Base): boolean => textPlaces(base).length > 0;

/** A class that puts its text at a place for text; the schema of the place says what must come of it. */
const text = (name: string, make: (tools: Tools, place: TextPlace) => string): FuzzClass => ({
  name,
  mixed: true,
  applies: hasText,
  mutate(base, tools) {
    const place = tools.random.pick(textPlaces(base));
    const made = make(tools, place);
    return {
      draft: draftWith(base, place, made, tools),
      expects: mayFit(place, made) ? 'any' : 'refusal',
      // An empty part of a path, or a dot, is another path.
      anyRoute: place.where === 'path',
    };
  },
});

const BAD_BYTES = [
  ...[[0xff], [0xfe], [0x80], [0xbf], [0xc0, 0xaf], [0xc1, 0xbf], [0xe0, 0x80, 0xaf], [0xc3]],
  ...[
    [0xed, 0xa0, 0x80],
    [0xed, 0xbf, 0xbf],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf8, 0x88, 0x80, 0x80],
  ],
  ...[[0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xf0, 0x80, 0x80, 0x80], [0xc3, 0x28], [0xfc]],
].map((bytes) => Buffer.from(bytes));

/** The body with bytes put in right after the opening quote of a text in it. */
function withBytes(base: Base, random: Random, bytes: Buffer): Buffer {
  const body = Buffer.from(JSON.stringify(base.body));
  const quotes = [...body.keys()].filter((at) => body[at] === 0x22);
  const at = random.pick(quotes) + random.below(2);
  return Buffer.concat([body.subarray(0, at), bytes, body.subarray(at)]);
}

const utf16 = (body: string, big: boolean, mark: boolean): Buffer => {
  const bytes = Buffer.from((mark ? '\ufeff' : '') + body, 'utf16le');
  return big ? bytes.swap16() : bytes;
};

const inPath = ({ operation }: Base): boolean =>
  operation.parameters.some(({ in: where }) => where === 'path');

export const textClasses: readonly FuzzClass[] = [
  text('boundary lengths', ({ random }, { schema }) => {
    const made = random.pick(LETTERS).repeat(random.pick(LENGTHS));
    // Half of them begin as the pattern wants, so that the length alone decides.
    return random.below(2) === 0 || !textFits(schema, 'a') ? made : `a${made.slice(1)}`;
  }),
  text('NUL and controls', (tools) => around(tools, tools.random.pick(CONTROLS))),
  text('lone surrogates', (tools) => around(tools, tools.random.pick(LONE))),
  text('bidi and odd letters', (tools) => around(tools, tools.random.pick(BIDI))),
  text('Redis metacharacters', (tools) => around(tools, tools.random.pick(METACHARACTERS))),
  text('log injection', (tools) => around(tools, tools.random.pick(LOG_LINES))),
  {
    name: 'invalid UTF-8',
    mixed: false,
    applies: (base) => hasBody(base) || inPath(base),
    mutate(base, { random, fixtures }) {
      const bytes = random.pick(BAD_BYTES);
      if (hasBody(base)) {
        const body = withBytes(base, random, bytes);
        return { draft: draftOf(base, fixtures.rootKey, body), expects: 'refusal' };
      }
      const draft = draftOf(base, fixtures.rootKey);
      const part = encodeText(random.pick(Object.values(base.path)));
      const raw = random.below(3) === 0;
      const bad = raw ? bytes.toString('latin1') : bytes.toString('hex').replaceAll(/../g, '%$&');
      const target = draft.target.replace(part, () => part + bad);
      return { draft: { ...draft, target }, expects: 'refusal', anyRoute: true };
    },
  },
  {
    name: 'BOM and UTF-16',
    mixed: false,
    applies: hasBody,
    mutate(base, { random, fixtures }) {
      const body = JSON.stringify(base.body);
      const utf32 = Buffer.concat(
        [...body].map((each) => Buffer.from([0, 0, 0, each.charCodeAt(0) & 0x7f])),
      );
      const bytes = random.pick([
        Buffer.from(`\ufeff${body}`),
        Buffer.from(`${body}\ufeff`),
        utf16(body, false, false),
        utf16(body, true, false),
        utf16(body, false, true),
        utf16(body, true, true),
        utf32,
        Buffer.from(Buffer.from(body).toString('base64')),
        Buffer.from(`+AHs-${body.slice(1)}`),
      ]);
      return { draft: draftOf(base, fixtures.rootKey, bytes), expects: 'refusal' };
    },
  },
  {
    name: 'size of the body',
    mixed: false,
    applies: hasBody,
    mutate(base, { random, fixtures }) {
      const body = JSON.stringify(base.body);
      const filling = ' '.repeat(random.pick([32_768, 32_769, 40_000, 200_000]));
      return { draft: draftOf(base, fixtures.rootKey, body + filling), expects: 'refusal' };
    },
  },
  {
    name: 'details of any shape',
    mixed: true,
    applies: (base) => textPlaces(base).some(({ free }) => free),
    mutate(base, tools) {
      const place = tools.random.pick(textPlaces(base).filter(({ free }) => free));
      const value = valueAt(base.body, place.path.slice(0, -1)) as object;
      const near = 8192 - Buffer.byteLength(JSON.stringify(value)) + tools.random.below(40) - 20;
      return {
        draft: draftWith(base, place, 'x'.repeat(near), tools),
        expects: 'any',
      };
    },
  },
];
