// Owns `npm run prove`: all fault runs, and the table of what held. `--runs N --only TEXT --most N --rate N --hold MS --seed N`; `--only` as often as needed.

import { parseArgs } from 'node:util';
import { INVARIANTS } from './checker.ts';
import { seeded } from './random.ts';
import { MAX_STANDSTILL_MS, MIN_JUDGED, type RunResult, run } from './run.ts';
import { promisedIn, type Scenario, scenarios } from './scenarios.ts';

export interface ProveOptions {
  readonly runs: number;
  readonly rate: number;
  readonly holdMs: number;
  readonly seed: number;
  /** Parts of scenarios' names; undefined for all. */
  readonly only?: readonly string[] | undefined;
  /** So many of these at most. */
  readonly most?: number | undefined;
  /** Told of each run once it is over. */
  readonly onRun?: (scenario: Scenario, result: RunResult) => void;
  /** No further run is begun, and the one under way does not count. */
  readonly signal?: AbortSignal;
}

export interface ProvenScenario {
  readonly scenario: Scenario;
  readonly results: readonly RunResult[];
  /** Why it did not run. */
  readonly notRun?: string | undefined;
}

/** A run that came to no end counts for nothing, and the others go on. */
const brokenOff = (error: unknown): RunResult => ({
  judged: 0,
  unknown: 0,
  stoodStillMs: 0,
  recoveryMs: Number.POSITIVE_INFINITY,
  violations: [],
  missing: [],
  brokenOff: String(error),
});

/** Runs the scenarios one after another, and all of them again for each further run: whenever it is stopped, each has been run about as often. */
export async function prove(options: ProveOptions): Promise<readonly ProvenScenario[]> {
  const { runs, rate, holdMs, seed, only = [''], most = scenarios.length, onRun, signal } = options;
  const chosen = scenarios
    .filter(({ name }) => only.some((part) => name.includes(part)))
    .slice(0, most);
  const proven = await Promise.all(
    chosen.map(async (scenario) => ({
      scenario,
      results: [] as RunResult[],
      notRun: await scenario.impossible?.(),
    })),
  );
  const possible = proven.filter(({ notRun }) => notRun === undefined);
  for (let i = 0; i < runs; i++) {
    for (const { scenario, results } of possible) {
      const random = seeded(seed + i);
      const result = await run(scenario, { rate, holdMs, random }).catch(brokenOff);
      // What stops the proof from a keyboard stops the servers of the run as well.
      if (signal?.aborted) return proven;
      results.push(result);
      onRun?.(scenario, result);
    }
  }
  return proven;
}

/** Why a run does not count; undefined if it does. */
function discounted({ judged, stoodStillMs, brokenOff: why }: RunResult): string | undefined {
  if (judged < MIN_JUDGED) return why ?? `only ${judged} operations, does not count`;
  return stoodStillMs >= MAX_STANDSTILL_MS
    ? `the proof itself stood still for ${stoodStillMs} ms, does not count`
    : undefined;
}

const MOST_SHOWN = 3;

/** What a run has broken, in words: a few for each invariant. Empty if it counts and kept every promise. */
const complaintsOf = ({ name }: Scenario, result: RunResult): readonly string[] => {
  const uncounted = discounted(result);
  return [
    ...result.missing.map((operation) => `${name}: never called ${operation}`),
    ...(uncounted === undefined ? [] : [`${name}: ${uncounted}`]),
    ...INVARIANTS.flatMap((invariant) =>
      result.violations
        .filter((each) => each.invariant === invariant)
        .slice(0, MOST_SHOWN)
        .map(({ what }) => `${name}: ${invariant} ${what}`),
    ),
  ];
};

/** All that was broken. */
export const complaints = (proven: readonly ProvenScenario[]): readonly string[] =>
  proven.flatMap(({ scenario, results }) =>
    results.flatMap((result) => complaintsOf(scenario, result)),
  );

/** Whether runs were made, and every one was big enough and kept every promise. */
export const allHeld = (proven: readonly ProvenScenario[]): boolean =>
  proven.length > 0 && complaints(proven).length === 0;

/** A row for each scenario: for each invariant the runs in which it held, of the runs that count; `-` where it is not promised. */
export const table = (proven: readonly ProvenScenario[]) =>
  proven.map(({ scenario, results, notRun }) => {
    const counted = results.filter((result) => discounted(result) === undefined);
    const held = INVARIANTS.map((invariant) => {
      const promised = promisedIn(scenario).includes(invariant);
      const kept = counted.filter(({ violations }) =>
        violations.every((each) => each.invariant !== invariant),
      ).length;
      return [invariant, promised && notRun === undefined ? `${kept}/${counted.length}` : '-'];
    });
    return {
      scenario: scenario.name,
      durability: scenario.durability,
      ...Object.fromEntries(held),
      'operations, least': notRun ?? Math.min(...results.map(({ judged }) => judged)),
      unknown: results.reduce((sum, { unknown }) => sum + unknown, 0),
      'recovery ms, most': Math.max(0, ...results.map((each) => each.recoveryMs)),
    };
  });

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      rate: { type: 'string', default: '150' },
      hold: { type: 'string', default: '3000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string', multiple: true },
      most: { type: 'string' },
    },
  });
  // The first signal ends the proof with what it has; the second ends it as usual.
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const proven = await prove({
    runs: Number(values.runs),
    rate: Number(values.rate),
    holdMs: Number(values.hold),
    seed: Number(values.seed),
    only: values.only,
    most: values.most === undefined ? undefined : Number(values.most),
    signal: interrupted.signal,
    onRun(scenario, result) {
      const broken = complaintsOf(scenario, result);
      const said =
        broken.length === 0 ? `${scenario.name} (${scenario.durability}): held` : broken.join('\n');
      process.stderr.write(`${new Date().toISOString()} ${said}\n`);
    },
  });
  console.table(table(proven));
  console.log(`seed ${values.seed}`);
  if (proven.length === 0) console.log(`No scenario is called like that.`);
  for (const complaint of complaints(proven)) console.log(complaint);
  process.exit(allHeld(proven) ? 0 : 1);
}
