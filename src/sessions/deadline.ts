// Owns the deadline: whatever is awaited settles in time or counts as an outage.

import { Outage } from './errors.ts';

/** Handed to work that must not go on once nobody waits for it. */
export interface Deadline {
  readonly passed: boolean;
}

/**
 * Settles as `work` does, or rejects with Outage after `ms` milliseconds. Work that is a promise goes on unobserved then; its late
 * rejection is handled here. Work that is a function is told by its deadline.
 */
export function withDeadline<T>(
  work: Promise<T> | ((deadline: Deadline) => Promise<T>),
  ms: number,
  what: string,
): Promise<T> {
  const deadline = { passed: false };
  const underWay = typeof work === 'function' ? work(deadline) : work;
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      deadline.passed = true;
      reject(new Outage(`${what}: no answer in ${ms} ms`));
    }, ms);
    underWay.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Repeats `round` until it has an answer; stops, with an Outage, after `most` rounds or once nobody waits for it any more. */
export async function untilAnswered<T>(
  what: string,
  most: number,
  deadline: Deadline,
  round: (number: number) => Promise<T | undefined>,
): Promise<T> {
  for (let number = 0; number < most && !deadline.passed; number++) {
    const answer = await round(number);
    if (answer !== undefined) return answer;
  }
  throw new Outage(`${what}: it changed under every attempt`);
}
