// Owns one fault run: people live in a world, a fault strikes at a random moment, and the history is judged once all is well again.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { until, withRedis } from '../test/support/redis-client.ts';
import { TEST_ROOT_KEY } from '../test/support/service-process.ts';
import { type Invariant, judge, recoveryMs, type Violation } from './checker.ts';
import { createClient } from './client.ts';
import type { History } from './history.ts';
import { takeJwksCopy } from './jwks-copy.ts';
import { createLives } from './lives.ts';
import { promisedIn, type Scenario } from './scenarios.ts';
import { startWorld, type World } from './worlds.ts';

export interface RunOptions {
  /** Steps a second, begun whether or not the ones before were answered. */
  readonly rate: number;
  /** How long a fault that can last does. */
  readonly holdMs: number;
  readonly random: () => number;
}

export interface RunResult {
  /** Operations that were answered, as opposed to unknown ones. */
  readonly judged: number;
  readonly unknown: number;
  /** The slower of the two instances, from the store being usable to the first good answer. */
  readonly recoveryMs: number;
  /** Of the promised invariants only. */
  readonly violations: readonly Violation[];
}

/** A run with fewer judged operations proves nothing. */
export const MIN_JUDGED = 1000;
const WARM_UP_MS = 1500;
const AFTER_MS = 3500;
const MAX_GROWTH_KB = 64 * 1024;
/** The ring of signing keys. */
const BASELINE_KEYS = 1;

const residentKb = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

/** The most by which a process has grown since this was called; asked again and again. */
function watchGrowth({ services }: World): () => number {
  const before = new Map(services.map(({ pid }) => [pid, residentKb(pid)]));
  let most = 0;
  return () => {
    for (const [pid, kb] of before) most = Math.max(most, residentKb(pid) - kb);
    return most;
  };
}

/** Begins `rate` steps a second until told to stop; then waits for those under way. */
function keepLiving(step: () => Promise<void>, rate: number) {
  const underWay = new Set<Promise<void>>();
  let due = 0;
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (due += ((nowMs - lastMs) * rate) / 1000; due >= 1; due--) {
      const work = step().finally(() => underWay.delete(work));
      underWay.add(work);
    }
    lastMs = nowMs;
  }, 10);
  return async () => {
    clearInterval(timer);
    await Promise.all(underWay);
  };
}

/** A claim on an idempotency key is kept for a day, whatever becomes of its session. */
const CLAIMS = /^idempotency:/;
/** A user is remembered for its retention, unless it was erased. */
const USERS = /^(users|user-records|user-parts):/;

/** Keys of ours left on the primaries that answer, but for those that outlive sessions by intent. */
async function keysLeft({ servers }: World, outliving: readonly RegExp[]): Promise<number> {
  const all = await Promise.all(
    servers.map(({ port }) =>
      withRedis(port, async (redis) => {
        if (!(await redis.info('replication')).includes('role:master')) return [];
        const keys = await redis.keys('*');
        const sizes = await Promise.all(
          keys.map((key) => (key.startsWith('session:') ? redis.strlen(key) : 0)),
        );
        // One byte forbids a session that a broken-off start had announced, for a minute (ADR 15).
        return keys.filter((_key, i) => sizes[i] !== 1);
      }).catch((): string[] => []),
    ),
  );
  return all.flat().filter((key) => !outliving.some((pattern) => pattern.test(key))).length;
}

const seconds = (env: Scenario['env'], name: string, otherwise: number): number =>
  Number(env?.[name] ?? otherwise) * 1000;

async function live(world: World, scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const { rate, holdMs, random } = options;
  const ports = () => world.services.map(({ port }) => port);
  const client = createClient(ports, TEST_ROOT_KEY, await takeJwksCopy(ports, random));
  const lives = createLives(client, random);
  const stop = keepLiving(lives.step, rate);
  await sleep(WARM_UP_MS + random() * 500);
  const grown = watchGrowth(world);
  const watch = setInterval(grown, 100);
  await scenario.fault(world, holdMs);
  const usableMs = Date.now();
  await sleep(AFTER_MS);
  clearInterval(watch);
  await stop();
  await lives.examine();

  const { env } = scenario;
  const absoluteTtlMs = seconds(env, 'ABSOLUTE_TTL_SECONDS', 2_592_000);
  if (!scenario.endsByTime) await lives.clear();
  // An index lives as long as its last member; that is what a session that ends by time takes.
  const keys = await withinMs(scenario.endsByTime ? absoluteTtlMs + 1500 : 1500, () =>
    keysLeft(world, scenario.endsByTime ? [CLAIMS, USERS] : [CLAIMS]),
  );
  const history: History = {
    operations: client.operations,
    usableMs,
    instances: [0, 1],
    retryWindowMs: seconds(env, 'REFRESH_RETRY_SECONDS', 30),
    absoluteTtlMs,
  };
  const measured: Violation[] = [
    ...(grown() > MAX_GROWTH_KB
      ? [{ invariant: 'I8' as const, what: `grew by ${grown()} kB` }]
      : []),
    ...(keys > BASELINE_KEYS ? [{ invariant: 'I11' as const, what: `${keys} keys are left` }] : []),
  ];
  const promised: readonly Invariant[] = promisedIn(scenario);
  const unknown = history.operations.filter(({ result }) => result === 'unknown').length;
  return {
    judged: history.operations.length - unknown,
    unknown,
    recoveryMs: Math.max(...[0, 1].map((i) => recoveryMs(history, i) ?? Number.POSITIVE_INFINITY)),
    violations: [...judge(history), ...measured].filter(({ invariant }) =>
      promised.includes(invariant),
    ),
  };
}

/** The number of keys as soon as it is down to the baseline, or when the time is over. */
async function withinMs(ms: number, count: () => Promise<number>): Promise<number> {
  await until('only the baseline is left', ms, async () => (await count()) <= BASELINE_KEYS).catch(
    () => undefined,
  );
  return count();
}

/** Runs a scenario once in a world of its own. Rejects if the world cannot be made. */
export async function run(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const store = await scenario.store();
  try {
    await scenario.prepare?.(store, options.holdMs);
    const world = await startWorld(store, scenario.env ?? {}, await scenario.own?.());
    try {
      return await live(world, scenario, options);
    } finally {
      await Promise.all(world.services.map((service) => service.stop()));
    }
  } finally {
    await store.stop();
  }
}
