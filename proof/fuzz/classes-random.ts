// Owns random values: any JSON as a body, any bytes, and data that must be accepted and come back as it was.

import fc from 'fast-check';
import { type Base, draftOf } from './bases.ts';
import { type FuzzClass, hasBody } from './fuzz-class.ts';
import { changed, placesIn } from './places.ts';
import type { Random } from './random.ts';

const one = <T>(arbitrary: fc.Arbitrary<T>, random: Random): T =>
  fc.sample(arbitrary, { seed: random.below(2 ** 31), numRuns: 1 })[0] as T;

const unit = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((each) => each.isWellFormed()),
  fc.constantFrom('\u202e', '\u2066', '\ufeff', '\u200d', '{', '}', '*', '%', '/', '\\', ' ', '+'),
  fc.constantFrom('\u{10ffff}', '\u0301', '\ufffd', '"', ':', '?', '&', '#', '=', 'é', '😀', ';'),
);
const wellFormed = fc.array(unit, { maxLength: 40 }).map((units) => units.join(''));
const userId = wellFormed.filter(
  (text) => /^(?!\.{1,2}$)[^\p{Cc}\p{Cs}]{1,256}$/u.test(text) && text.isWellFormed(),
);
const scalar = fc.oneof(
  wellFormed,
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger().map((value) => value + 0),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Object.is(value, -0))
    .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
);
const name = wellFormed.filter((text) => text !== '__proto__');
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(name, tie('tree'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));
const details = fc
  .dictionary(name, tree, { maxKeys: 6, noNullPrototype: true })
  .filter((value) => Buffer.byteLength(JSON.stringify(value)) <= 8192);

/** The place of an object of any shape with a user id beside it, as a new session has. */
const dataPlace = (base: Base) =>
  placesIn(base).find(({ schema }) => {
    const inner = schema.properties ?? {};
    return inner['userId'] !== undefined && inner['details'] !== undefined;
  });

export const randomClasses: readonly FuzzClass[] = [
  {
    name: 'good data of any letters',
    mixed: true,
    applies: (base) => dataPlace(base) !== undefined,
    mutate(base, { random, fixtures }) {
      const data = { userId: one(userId, random), details: one(details, random) };
      const body = changed(base.body, dataPlace(base)?.path ?? [], data);
      return { draft: draftOf({ ...base, body }, fixtures.rootKey), expects: 'acceptance' };
    },
  },
  {
    name: 'any JSON',
    mixed: true,
    applies: hasBody,
    mutate(base, { random, fixtures }) {
      const value = one(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), random);
      const { path } = random.pick(placesIn(base));
      const body = changed(base.body, path, value) ?? null;
      return { draft: draftOf(base, fixtures.rootKey, JSON.stringify(body)), expects: 'any' };
    },
  },
  {
    name: 'any bytes',
    mixed: true,
    applies: hasBody,
    mutate(base, { random, fixtures }) {
      const bytes = random.bytes(random.below(200));
      const body = Buffer.from(JSON.stringify(base.body));
      const at = random.below(body.length);
      for (let count = random.below(4); count >= 0; count--)
        body[(at + count) % body.length] = random.below(256);
      return { draft: draftOf(base, fixtures.rootKey, random.pick([bytes, body])), expects: 'any' };
    },
  },
];
