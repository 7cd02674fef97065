// Owns the estimate of the store's time: all times of a session are the store's, so that an instance whose own clock is wrong does no harm.

import type { Clock } from './ambient.ts';

export interface StoreClock {
  /** Milliseconds since the epoch by the store's clock; asks the store, once, if nothing is known yet. */
  now(): number | Promise<number>;
  /** Asks the store for its time. */
  ask(): Promise<void>;
  /** Runs a store operation and learns from the time it returns. */
  learn<T extends { readonly nowMs: number }>(read: () => Promise<T>): Promise<T>;
}

/**
 * The offset is kept to the monotonic clock, so a jump of this machine's calendar changes nothing. A reply that was taken at
 * `nowMs`, asked for at `sentMs` and received at `receivedMs`, proves nowMs − receivedMs ≤ offset ≤ nowMs − sentMs; the estimate
 * moves only as far as that demands, so a slow reply does not disturb a good one.
 */
export function createStoreClock(clock: Clock, askStore: () => Promise<number>): StoreClock {
  let offsetMs: number | undefined;

  async function measure<T extends { readonly nowMs: number }>(read: () => Promise<T>) {
    const sentMs = clock.monotonicMs();
    const result = await read();
    const lowest = result.nowMs - clock.monotonicMs();
    const highest = result.nowMs - sentMs;
    offsetMs = Math.min(Math.max(offsetMs ?? (lowest + highest) / 2, lowest), highest);
    return { result, offsetMs };
  }

  const ask = () => measure(async () => ({ nowMs: await askStore() }));

  return {
    async ask() {
      await ask();
    },
    learn: async (read) => (await measure(read)).result,
    now() {
      const by = (offset: number) => Math.floor(clock.monotonicMs() + offset);
      return offsetMs === undefined ? ask().then((asked) => by(asked.offsetMs)) : by(offsetMs);
    },
  };
}
