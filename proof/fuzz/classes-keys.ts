// Owns every wrong form of an API key, and what may stand in the headers that name a start or a version.

import { formatApiKey, newKeyId, newSecret, parseApiKey } from '../../src/callers/api-key.ts';
import { draftOf } from './bases.ts';
import type { FuzzClass, Tools } from './fuzz-class.ts';
import type { Random } from './random.ts';
import { header, without } from './request.ts';

/** Texts near a live key that are none: typos, parts, other spellings, and whole keys that nobody was given. */
function wrongApiKeys(apiKey: string, random: Random): string[] {
  const { id, secret } = parseApiKey(apiKey) ?? { id: '', secret: '' };
  const at = random.below(apiKey.length);
  const bytes = (size: number) => random.bytes(size);
  return [
    apiKey.slice(0, at),
    apiKey.slice(at + 1),
    `${apiKey.slice(0, at)}${apiKey[at] === 'a' ? 'b' : 'a'}${apiKey.slice(at + 1)}`,
    `${apiKey}0`,
    `${apiKey}${apiKey}`,
    apiKey.toLowerCase(),
    apiKey.toUpperCase(),
    apiKey.replace('smk_', 'sk_'),
    apiKey.replaceAll('_', '-'),
    apiKey.replace(/_/g, '__'),
    `smk_${id}_`,
    `smk__${secret}`,
    id,
    secret,
    formatApiKey({ id: newKeyId(bytes), secret }),
    formatApiKey({ id, secret: newSecret(bytes) }),
    formatApiKey({ id: `${id.slice(1)}${id[0]}`, secret }),
    formatApiKey({ id: '__proto__000', secret }),
    formatApiKey({ id, secret: '' }),
    formatApiKey({ id: '', secret: '' }),
  ].filter((each) => each !== apiKey);
}

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
  (_, { fixtures, random }) => `Bearer ${random.pick(wrongApiKeys(fixtures.apiKey, random))}`,
];

/** No key of the header's form. */
const BAD_NAMES = ['', '""', ' ', 'a b', 'ä', '\xff', '"\x80"', 'x'.repeat(256), '\x7f', 'a\tb'];
const GOOD_NAMES = [
  'a',
  '"',
  '*',
  'x'.repeat(255),
  '"quoted"',
  '{}',
  '__proto__',
  'mint:{x}',
  '%00',
];

const VERSIONS = [
  '*',
  '"x"',
  'W/"x"',
  '"',
  '""',
  'x',
  '',
  ',',
  ' , ',
  '"a", "b"',
  '\xff',
  '"*"',
  '__proto__',
  '"x",'.repeat(2000),
];

const takes =
  (name: string): FuzzClass['applies'] =>
  ({ operation }) =>
    operation.parameters.some((each) => each.in === 'header' && each.name.toLowerCase() === name);

export const keyClasses: readonly FuzzClass[] = [
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
  {
    name: 'idempotency keys',
    mixed: true,
    applies: takes('idempotency-key'),
    mutate(base, { random, fixtures }) {
      const draft = draftOf(base, fixtures.rootKey);
      const named = (name: string) => header(draft, 'idempotency-key', name);
      // The same few names again and again, for other bodies too; a name drawn at random is new.
      if (random.below(3) === 0) return { draft: named(random.pick(GOOD_NAMES)), expects: 'any' };
      if (random.below(2) === 0) {
        return { draft: named(random.bytes(20).toString('hex')), expects: 'acceptance' };
      }
      return { draft: named(random.pick(BAD_NAMES)), expects: 'refusal' };
    },
  },
  {
    name: 'versions',
    mixed: true,
    applies: takes('if-match'),
    mutate(base, { random, fixtures }) {
      const draft = draftOf(base, fixtures.rootKey);
      const name = random.pick(['if-match', 'if-none-match']);
      return { draft: header(draft, name, random.pick(VERSIONS)), expects: 'any' };
    },
  },
];
