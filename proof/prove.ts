// Owns `npm run prove`: all fault runs, and the table of what held. `--runs N --only TEXT --most N --rate N --hold MS --seed N`.

import { parseArgs } from 'node:util';
import { INVARIANTS } from './checker.ts';
import { seeded } from './random.ts';
import { MIN_JUDGED, type RunResult, run } from './run.ts';
import { promisedIn, type Scenario, scenarios } from './scenarios.ts';

export interface ProveOptions {
  readonly runs: number;
  readonly rate: number;
  readonly holdMs: number;
  readonly seed: number;
  /** Part of a scenario's name; undefined for all. */
  readonly only?: string | undefined;
  /** So many of these at most. */
  readonly most?: number | undefined;
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
  recoveryMs: Number.POSITIVE_INFINITY,
  violations: [],
  missing: [],
  brokenOff: String(error),
});

/** Runs the scenarios one after another. */
export async function prove(options: ProveOptions): Promise<readonly ProvenScenario[]> {
  const { runs, rate, holdMs, seed, only = '', most = scenarios.length } = options;
  const proven: ProvenScenario[] = [];
  for (const scenario of scenarios.filter(({ name }) => name.includes(only)).slice(0, most)) {
    const notRun = await scenario.impossible?.();
    const results: RunResult[] = [];
    for (let i = 0; notRun === undefined && i < runs; i++) {
      results.push(
        await run(scenario, { rate, holdMs, random: seeded(seed + i) }).catch(brokenOff),
      );
      process.stderr.write('.');
    }
    proven.push({ scenario, results, notRun });
  }
  return proven;
}

/** Whether every run that could be made was big enough and kept every promise. */
export const allHeld = (proven: readonly ProvenScenario[]): boolean =>
  proven.length > 0 &&
  proven.every(({ results }) =>
    results.every(
      ({ violations, judged, missing }) =>
        violations.length === 0 && missing.length === 0 && judged >= MIN_JUDGED,
    ),
  );

/** A row for each scenario: for each invariant the runs in which it held, of the runs that count; `-` where it is not promised. */
export const table = (proven: readonly ProvenScenario[]) =>
  proven.map(({ scenario, results, notRun }) => {
    const counted = results.filter(({ judged }) => judged >= MIN_JUDGED);
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

const MOST_SHOWN = 3;

/** Each broken promise in words, a few for each invariant. */
export const complaints = (proven: readonly ProvenScenario[]): readonly string[] =>
  proven.flatMap(({ scenario, results }) =>
    results.flatMap(
      ({ violations, judged, missing, brokenOff: why = `only ${judged} operations` }) => [
        ...missing.map((operation) => `${scenario.name}: never called ${operation}`),
        ...(judged < MIN_JUDGED ? [`${scenario.name}: ${why}, does not count`] : []),
        ...INVARIANTS.flatMap((invariant) =>
          violations
            .filter((each) => each.invariant === invariant)
            .slice(0, MOST_SHOWN)
            .map(({ what }) => `${scenario.name}: ${invariant} ${what}`),
        ),
      ],
    ),
  );

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      rate: { type: 'string', default: '200' },
      hold: { type: 'string', default: '3000' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      only: { type: 'string' },
      most: { type: 'string' },
    },
  });
  const proven = await prove({
    runs: Number(values.runs),
    rate: Number(values.rate),
    holdMs: Number(values.hold),
    seed: Number(values.seed),
    only: values.only,
    most: values.most === undefined ? undefined : Number(values.most),
  });
  process.stderr.write('\n');
  console.table(table(proven));
  console.log(`seed ${values.seed}`);
  if (proven.length === 0) console.log(`No scenario is called like "${values.only}".`);
  for (const complaint of complaints(proven)) console.log(complaint);
  process.exit(allHeld(proven) ? 0 : 1);
}
