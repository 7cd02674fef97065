// Owns the only doors to time and randomness: everything else receives them, so that a test can move the one and fix the other.

import { randomBytes } from 'node:crypto';

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

export const systemRandom: RandomBytes = (size) => randomBytes(size);
