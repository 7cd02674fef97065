// Owns the start-up self-check: waits for the store, judges what it says of itself, and refuses what production must not run on.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Outage } from './sessions/errors.ts';
import { RingUnreadable } from './sessions/signing-keys.ts';
import type { RedisFacts } from './stores/redis/inspect.ts';

/** How long the store may take to appear before the process gives up. */
const STORE_WAIT_MS = 30_000;
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 640;
const OLDEST_VERSION = 7;
const MAX_SKEW_MS = 5_000;

/** The store is there and must not be used. Its text names no value of a setting. */
export class StartRefused extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'StartRefused';
  }
}

export interface Findings {
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

export interface Strictness {
  readonly production: boolean;
  readonly allowEviction: boolean;
  /** Replicas that must acknowledge each write. */
  readonly waitReplicas: number;
}

/** What is to be said of a Redis. `skewMs`: how far this machine's clock is from the store's. */
export function judgeRedis(facts: RedisFacts, skewMs: number, strictness: Strictness): Findings {
  const refusals: string[] = [];
  const warnings: string[] = [];
  if (Number.parseInt(facts.version, 10) < OLDEST_VERSION) {
    refusals.push(`Redis ${facts.version} is too old; ${OLDEST_VERSION}.0 or later is needed`);
  }
  if (facts.evictionPolicy !== 'noeviction') {
    const text = `Redis may evict live sessions: its maxmemory-policy is ${facts.evictionPolicy}, not noeviction`;
    (strictness.production && !strictness.allowEviction ? refusals : warnings).push(text);
  }
  if (!['always', 'everysec', 'aof'].includes(facts.durability)) {
    warnings.push(
      `Redis may lose acknowledged sessions at a restart (durability: ${facts.durability}); use an append-only file`,
    );
  }
  if (Math.abs(skewMs) > MAX_SKEW_MS) {
    warnings.push(
      `the clock of this machine is ${Math.round(skewMs / 1000)} s from the store's; the store's is used`,
    );
  }
  if (facts.replicas < strictness.waitReplicas) {
    warnings.push(
      `REDIS_WAIT_REPLICAS asks for more replicas than a primary has (${facts.replicas}); every write is 503 until it has them`,
    );
  }
  return { refusals, warnings };
}

/** Repeats `attempt` until it succeeds; gives up with StartRefused when the store has not answered for half a minute. */
export async function waitForStore<T>(
  attempt: () => Promise<T>,
  logger: Logger,
  monotonicMs: () => number,
): Promise<T> {
  const startedMs = monotonicMs();
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Outage) || error instanceof RingUnreadable) throw error;
      if (monotonicMs() - startedMs > STORE_WAIT_MS) {
        throw new StartRefused(
          `the store did not answer for ${STORE_WAIT_MS / 1000} s (${error.message})`,
        );
      }
      // The first attempts come before the connection is there, even on a good day.
      if (pauseMs === LAST_PAUSE_MS) logger.warn({ why: error.message }, 'waiting for the store');
      await sleep(pauseMs);
    }
  }
}
