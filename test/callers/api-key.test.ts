// Owns the proof of the form of API keys: made once, recognised whole, refused for a typo.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  formatApiKey,
  hashSecret,
  isSecretOf,
  newKeyId,
  newSecret,
  parseApiKey,
} from '../../src/callers/api-key.ts';
import { systemRandom } from '../../src/sessions/ambient.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const drawn = () => ({ id: newKeyId(systemRandom), secret: newSecret(systemRandom) });

it('a key names itself, its id and nothing else in clear', () => {
  const text = drawn();
  const key = formatApiKey(text);
  expect(key).toMatch(/^smk_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$/);
  expect(parseApiKey(key)).toEqual(text);
});

it('a key with any one character changed, dropped, doubled or swapped with its neighbour is no key', () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...ALPHABET), fc.nat(3), (place, other, how) => {
      const key = formatApiKey(drawn());
      const at = place % key.length;
      const [before, here, after] = [key.slice(0, at), key[at] ?? '', key.slice(at + 1)];
      const typo = [
        before + other + after,
        before + after,
        before + here + here + after,
        before + (after[0] ?? '') + here + after.slice(1),
      ][how] as string;
      if (typo !== key) expect(parseApiKey(typo)).toBeUndefined();
    }),
    { numRuns: 5000 },
  );
});

it('a secret is told from every other by its hash alone', () => {
  const secret = newSecret(systemRandom);
  const kept = hashSecret(secret);
  expect(kept).not.toContain(secret);
  expect(isSecretOf(secret, kept)).toBe(true);
  expect(isSecretOf(newSecret(systemRandom), kept)).toBe(false);
  expect(isSecretOf(secret, '')).toBe(false);
});

it('letters of a secret are drawn evenly: bytes that do not divide evenly are drawn again', () => {
  const given = [Buffer.alloc(32, 255), Buffer.alloc(32, 61)];
  expect(newSecret(() => given.shift() ?? Buffer.alloc(32))).toBe('z'.repeat(32));
});
