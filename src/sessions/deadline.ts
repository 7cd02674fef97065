// Owns the deadline: whatever is awaited settles in time or counts as an outage.

import { Outage } from './errors.ts';

/**
 * Settles as `work` does, or rejects with Outage after `ms` milliseconds. `work` goes on unobserved; its late rejection is
 * handled here.
 */
export function withDeadline<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Outage(`${what}: no answer in ${ms} ms`)), ms);
    work.then(
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
