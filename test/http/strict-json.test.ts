// Owns the proof that the quick look at a body and the full look at each of its tokens find the same.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStrictJson } from '../../src/http/strict-json.ts';

const tricky = fc.constantFrom(
  '-0',
  '1e400',
  '1e-400',
  '1e+21',
  '1e21',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '0.1',
  '0.10',
  '"\\ud800"',
  '"\\ud83d\\ude00"',
  '"\\u0061"',
  '"__proto__"',
  '{"__proto__":1}',
  '{"a":1,"a":1}',
  '{"2":1,"1":1}',
  `${'['.repeat(63)}${']'.repeat(63)}`,
  `${'['.repeat(65)}${']'.repeat(65)}`,
  `[${'[],'.repeat(70)}[]]`,
);
const plain = fc.json({ maxDepth: 3 });
const text = fc
  .array(fc.oneof(tricky, plain), { minLength: 1, maxLength: 4 })
  .map((values) => `{${values.map((value, i) => `"m${i}":${value}`)}}`);

test('what is wrong with a body does not depend on how it is spaced', () => {
  fc.assert(
    fc.property(text, (body) => {
      // White space in front is never the way in which JSON.stringify would write it.
      const [quick, full] = [body, ` ${body}`].map((each) => parseStrictJson(Buffer.from(each)));
      expect(quick).toEqual(full);
    }),
    { numRuns: 2_000 },
  );
});
