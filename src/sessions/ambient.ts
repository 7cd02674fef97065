// Owns the only doors to time and randomness: everything else receives them, so that a test can move the one and fix the other.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since an arbitrary moment; never jumps, whatever happens to the machine's calendar. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch as this machine believes; may jump. */
  wallMs(): number;
}

/** Cryptographically strong random bytes, `size` of them. */
export type RandomBytes = (size: number) => Buffer;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
};

/** Resolves after `ms` milliseconds. */
export const systemPause = (ms: number): Promise<void> => sleep(ms);

const POOL_BYTES = 8192;
let pool = Buffer.alloc(0);
let drawn = 0;

/** Drawn in blocks: one draw of 8 KiB costs little more than one of 16 bytes, and a start needs five (32 of 175 CPU-µs when drawn singly). */
export const systemRandom: RandomBytes = (size) => {
  if (pool.length - drawn < size) {
    pool = randomBytes(Math.max(POOL_BYTES, size));
    drawn = 0;
  }
  // A copy: whoever holds a part of the block would hold, behind it, what others are yet to draw.
  const bytes = Buffer.allocUnsafe(size);
  drawn += pool.copy(bytes, 0, drawn, drawn + size);
  return bytes;
};

/** A random number from 0 up to 1. */
export const drawChance = (random: RandomBytes): number => random(4).readUInt32BE() / 2 ** 32;
