// Owns one fault run: people live in a world, a fault strikes at a random moment, and the history is judged once all is well again.

import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_ROOT_KEY } from '../test/support/service-process.ts';
import { administer } from './administer.ts';
import { type Invariant, judge, recoveryMs, type Violation } from './checker.ts';
import { type Client, createClient } from './client.ts';
import { watchGrowth } from './growth.ts';
import type { History } from './history.ts';
import { takeJwksCopy } from './jwks-copy.ts';
import { type Lateness, watchLateness } from './lateness.ts';
import { driftOf, keysBeyondBaseline } from './left-behind.ts';
import { createLives } from './lives.ts';
import { operate } from './operator.ts';
import { secretsWritten, someSeeds } from './output-search.ts';
import { neverCalled } from './places.ts';
import { promisedIn, type Scenario } from './scenarios.ts';
import { callWitness, type Witness } from './store-witness.ts';
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
  /** The longest that the proof itself stood still, its network with it. */
  readonly stoodStillMs: number;
  /** The slower of the two instances, from the store being usable to the first good answer. */
  readonly recoveryMs: number;
  /** Of the promised invariants only. */
  readonly violations: readonly Violation[];
  /** Operations that were never called, and must be in every run. */
  readonly missing: readonly string[];
  /** Why it came to no end; undefined if it did. */
  readonly brokenOff?: string;
}

/** A run with fewer judged operations proves nothing. */
export const MIN_JUDGED = 1000;
/** Nor does one in which the proof stood still for so long: a service takes the network for dead then, and people their answers for late. */
export const MAX_STANDSTILL_MS = 1000;
const WARM_UP_MS = 2500;
const AFTER_MS = 3500;
const MAX_GROWTH_KB = 64 * 1024;

/** So long it takes until all are there: two processes that have just been started are not met by everybody at once. */
const RISE_MS = 1500;

/** Begins `rate` steps a second until told to stop; then waits for those under way. */
function keepLiving(step: () => Promise<void>, rate: number) {
  const underWay = new Set<Promise<void>>();
  let due = 0;
  const begunMs = performance.now();
  let lastMs = begunMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const share = Math.min(1, (nowMs - begunMs) / RISE_MS);
    for (due += ((nowMs - lastMs) * rate * share) / 1000; due >= 1; due--) {
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

const seconds = (env: Scenario['env'], name: string, otherwise: number): number =>
  Number(env?.[name] ?? otherwise) * 1000;

/** People live, the fault strikes and is over, and each is asked for what must hold of it. */
async function strike(world: World, scenario: Scenario, options: RunOptions, client: Client) {
  const { rate, holdMs, random } = options;
  const lives = createLives(client, random);
  const stop = keepLiving(lives.step, rate);
  const rest = operate(client);
  const growth = watchGrowth(world);
  await sleep((scenario.warmUpMs ?? WARM_UP_MS) + random() * 500);
  growth.strike();
  let grownKb = 0;
  // Also if the fault could not be made: nobody may go on living in the worlds of the runs to come.
  const endLiving = async () => {
    grownKb = growth.stop();
    await Promise.all([stop(), rest()]);
  };
  const disturb = async () => {
    await scenario.fault(world, holdMs);
    const healedMs = Date.now();
    await sleep(AFTER_MS);
    return healedMs;
  };
  const usableMs = await disturb().finally(endLiving);
  const seeds = await someSeeds(world);
  await lives.examine();
  return { lives, usableMs, grownKb, seeds };
}

async function live(
  world: World,
  witness: Witness,
  scenario: Scenario,
  options: RunOptions,
  lateness: Lateness,
): Promise<RunResult> {
  const ports = () => world.services.map(({ port }) => port);
  // A store that loses what was acknowledged loses the key of the lives with it.
  const remembers = promisedIn(scenario).includes('I1');
  const keys: [string, ...string[]] = [TEST_ROOT_KEY];
  if (remembers) keys.push(await administer(world));
  const client = createClient(ports, keys, await takeJwksCopy(ports, options.random));
  const { lives, usableMs, grownKb, seeds } = await strike(world, scenario, options, client);

  const { env = {}, endsByTime = false } = scenario;
  const absoluteTtlMs = seconds(env, 'ABSOLUTE_TTL_SECONDS', 2_592_000);
  const drift = await driftOf(world, env);
  if (!endsByTime) await lives.clear();
  // An index lives as long as its last member; that is what a session that ends by time takes.
  const withinMs = endsByTime ? absoluteTtlMs + 1500 : 1500;
  const left = await keysBeyondBaseline(world, withinMs, endsByTime);
  // What follows asks nobody any more.
  const stoodStillMs = lateness.longest();
  const written = await secretsWritten(world, client, keys, seeds, await witness.collect());
  const history: History = {
    operations: client.operations,
    lateMs: lateness.most,
    usableMs,
    instances: [0, 1],
    retryWindowMs: seconds(env, 'REFRESH_RETRY_SECONDS', 30),
    absoluteTtlMs,
    remembers,
  };
  const found: readonly (readonly [boolean, Invariant, string])[] = [
    [grownKb > MAX_GROWTH_KB, 'I8', `grew by ${grownKb} kB`],
    [left > 0, 'I11', `${left} keys are left`],
    ...Object.entries(drift).map(
      ([what, count]) => [true, 'I11', `the recount finds ${what} ${count}`] as const,
    ),
    ...written.map((what) => [true, 'secrets', what] as const),
  ];
  const measured = found.flatMap(([broken, invariant, what]) =>
    broken ? [{ invariant, what }] : [],
  );
  const promised: readonly Invariant[] = promisedIn(scenario);
  const unknown = history.operations.filter(({ result }) => result === 'unknown').length;
  return {
    judged: history.operations.length - unknown,
    unknown,
    stoodStillMs,
    recoveryMs: Math.max(...[0, 1].map((i) => recoveryMs(history, i) ?? Number.POSITIVE_INFINITY)),
    violations: [...judge(history), ...measured].filter(({ invariant }) =>
      promised.includes(invariant),
    ),
    missing: await neverCalled(client.calls),
  };
}

/** Runs a scenario once in a world of its own. Rejects if the world cannot be made. */
export async function run(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  const store = await scenario.store();
  try {
    await scenario.prepare?.(store, options.holdMs);
    const witness = await callWitness(store.servers);
    try {
      const world = await startWorld(store, scenario.env ?? {}, await scenario.own?.());
      const lateness = watchLateness();
      try {
        return await live(world, witness, scenario, options, lateness);
      } finally {
        lateness.stop();
        await Promise.all(world.services.map((service) => service.stop()));
      }
    } finally {
      witness.dismiss();
    }
  } finally {
    await store.stop();
  }
}
