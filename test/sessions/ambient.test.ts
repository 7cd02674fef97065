// Owns the promise that randomness is never handed out twice: ids, seeds and the nonces of sealed texts stand on it.

import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/sessions/ambient.ts';

describe('random bytes', () => {
  it('are never handed out twice, whatever sizes are asked for and wherever a block ends', () => {
    const drawn = Array.from({ length: 50_000 }, (_, i) => systemRandom(8 + (i % 25)));
    // Eight random bytes meet by chance once in 10^10 such runs.
    const starts = drawn.map((bytes) => bytes.toString('latin1', 0, 8));
    expect(new Set(starts).size).toBe(drawn.length);
    // Nor is the end of one the beginning of the next, but by chance: a byte 195 times, two bytes once.
    for (let common = 1; common <= 8; common++) {
      const met = drawn.filter((bytes, i) =>
        drawn[i - 1]?.subarray(-common).equals(bytes.subarray(0, common)),
      );
      expect(met.length, `${common} bytes`).toBeLessThan(common === 1 ? 400 : 20);
    }
  });

  it('are all random, also more than a block holds', () => {
    for (const size of [0, 1, 16, 8191, 8192, 8193, 40_000]) {
      const bytes = systemRandom(size);
      expect(bytes).toHaveLength(size);
      if (size > 8000) expect(new Set(bytes.subarray(-8000)).size).toBe(256);
    }
  });

  it('are no part of a memory that holds what others are yet to draw', () => {
    const held = Buffer.from(Buffer.from(systemRandom(16).buffer));
    const next = [systemRandom(16), systemRandom(16), systemRandom(16)];
    for (const bytes of next) expect(held.includes(bytes)).toBe(false);
  });
});
