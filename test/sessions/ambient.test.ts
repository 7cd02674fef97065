// Owns the promise that randomness is never handed out twice: ids, seeds and the nonces of sealed texts stand on it.

import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/sessions/ambient.ts';

describe('random bytes', () => {
  it('are never handed out twice, whatever sizes are asked for and wherever a block ends', () => {
    const drawn = Array.from({ length: 50_000 }, (_, i) => systemRandom(8 + (i % 25)));
    // Eight random bytes meet by chance once in 10^10 such runs.
    const starts = drawn.map((bytes) => bytes.toString('latin1', 0, 8));
    const ends = drawn.map((bytes) => bytes.toString('latin1', bytes.length - 8));
    expect(new Set(starts).size).toBe(drawn.length);
    expect(new Set(ends).size).toBe(drawn.length);
  });

  it('are as many as were asked for, also more than a block holds', () => {
    for (const size of [0, 1, 16, 8191, 8192, 8193, 40_000]) {
      const bytes = systemRandom(size);
      expect(bytes).toHaveLength(size);
      if (size > 1000) expect(new Set(bytes).size).toBe(256);
    }
  });

  it('belong to who asked for them: a change of one is seen by no other', () => {
    const [one, other] = [systemRandom(16), systemRandom(16)];
    const before = other.toString('hex');
    one.fill(0);
    new Uint8Array(systemRandom(16)).fill(0);
    expect(other.toString('hex')).toBe(before);
  });
});
