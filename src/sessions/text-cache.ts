// Owns the cache of what is made of documents: to use one costs a look into a map, and a change is seen everywhere within a bound.

import type { Clock } from './ambient.ts';

/** A change is seen by every instance this long after it was made, and by then by the operations that were under way. */
const USED_FOR_MS = 4_000;
/** From this age on an entry that is used is read again, in the background. */
const FRESH_FOR_MS = 2_000;
const MAX_ENTRIES = 4_096;

interface Entry<T> {
  readonly text: string | undefined;
  readonly value: T;
  /** When the text was asked for: it may have changed since. */
  readonly askedAtMs: number;
}

export interface TextCache<T> {
  /** What the document says; waits for the store only if nothing young enough is known. Rejects with Outage then. */
  get(collection: string, name: string): T | Promise<T>;
  /** Forgets an entry: it was changed here. */
  forget(collection: string, name: string): void;
}

export interface TextCacheDeps<T> {
  readonly read: (collection: string, name: string) => Promise<string | undefined>;
  /** Makes the value of a text; an absent document has one too. */
  readonly make: (text: string | undefined) => T;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

export function createTextCache<T>({ read, make, clock }: TextCacheDeps<T>): TextCache<T> {
  /** In the order of their last reading; what is used is read again, so the first is the longest unused. */
  const entries = new Map<string, Entry<T>>();
  const flights = new Map<string, Promise<T>>();

  function keep(key: string, entry: Entry<T>): void {
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size <= MAX_ENTRIES) return;
    for (const oldest of entries.keys()) {
      entries.delete(oldest);
      return;
    }
  }

  /** One reading of an entry at a time. */
  function readAgain(key: string, collection: string, name: string): Promise<T> {
    const askedAtMs = clock.monotonicMs();
    const flight: Promise<T> = read(collection, name)
      .then((text) => {
        const known = entries.get(key);
        // What is unchanged is not made again.
        const value = known !== undefined && known.text === text ? known.value : make(text);
        // A reading that a change made here has overtaken is not kept.
        if (flights.get(key) === flight) keep(key, { text, value, askedAtMs });
        return value;
      })
      .finally(() => {
        if (flights.get(key) === flight) flights.delete(key);
      });
    flights.set(key, flight);
    return flight;
  }

  return {
    get(collection, name) {
      // Names of collections have no slash.
      const key = `${collection}/${name}`;
      const entry = entries.get(key);
      const ageMs = entry === undefined ? USED_FOR_MS : clock.monotonicMs() - entry.askedAtMs;
      if (entry !== undefined && ageMs < FRESH_FOR_MS) return entry.value;
      const flight = flights.get(key) ?? readAgain(key, collection, name);
      if (entry === undefined || ageMs >= USED_FOR_MS) return flight;
      // Whoever comes when the entry is too old is told of the outage.
      flight.catch(() => undefined);
      return entry.value;
    },
    forget(collection, name) {
      const key = `${collection}/${name}`;
      entries.delete(key);
      flights.delete(key);
    },
  };
}
