// Owns what an instance does by itself every few seconds: clock and keys in step with the store, and a look at how the store is set up.

import type { Logger } from 'pino';
import type { SigningKeys } from './sessions/signing-keys.ts';
import type { StoreClock } from './sessions/store-clock.ts';

/** How often clock and keys are brought in step with the store. */
const HOUSEKEEPING_MS = 5_000;
/** Every how many rounds of housekeeping the store is inspected again. */
const INSPECT_EVERY = 12;

export interface Housekeeping {
  readonly inspect: () => Promise<void>;
  readonly storeClock: Pick<StoreClock, 'ask'>;
  readonly keys: Pick<SigningKeys, 'synchronize'>;
  readonly logger: Logger;
}

/** Keeps clock and keys in step with the store; says loudly, but goes on, when the store is no longer as it should be. */
export function keepHouse({ inspect, storeClock, keys, logger }: Housekeeping): void {
  let round = 0;
  const timer = setInterval(async () => {
    try {
      await storeClock.ask();
      await keys.synchronize();
      if (++round % INSPECT_EVERY === 0) await inspect();
    } catch (error) {
      logger.error(
        { why: error instanceof Error ? error.message : 'unknown' },
        'housekeeping failed',
      );
    }
  }, HOUSEKEEPING_MS);
  timer.unref();
}
