// Owns the fuzzer: generated bad requests against the real service on a real Redis. `npm run fuzz -- --requests N --seed N`.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Base, basesOf, draftOf } from './bases.ts';
import { addressClasses } from './classes-address.ts';
import { headerClasses } from './classes-headers.ts';
import { httpClasses } from './classes-http.ts';
import { jsonClasses } from './classes-json.ts';
import { keyClasses } from './classes-keys.ts';
import { randomClasses } from './classes-random.ts';
import { createSealedClasses } from './classes-sealed.ts';
import { textClasses } from './classes-text.ts';
import { type Document, readOperations } from './contract.ts';
import { createFixtures, namesOf } from './fixtures.ts';
import { FRAMING, runFraming } from './framing.ts';
import type { FuzzClass, Tools } from './fuzz-class.ts';
import { type Case, runGroup } from './group.ts';
import { isRefusal } from './oracle.ts';
import { createRandom } from './random.ts';
import { createLedger, printReport, type Report } from './report.ts';
import { describe } from './request.ts';
import { runSlow, SLOW } from './slow.ts';
import { readState } from './store-state.ts';
import { startTarget, type Target } from './target.ts';
import { createWires, type Wires } from './wire.ts';

export interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
}

const GROUP_SIZE = 200;
const MAX_LOOP_DELAY_SECONDS = 1;
/** One in so many requests is one of broken framing, on a connection of its own. */
const FRAMING_SHARE = 40;

/** How late the event loop was at most since the metrics were last read; undefined if this text is not of them. */
function delayIn(text: string): number | undefined {
  const value = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

async function loopDelay({ port, rootKey }: Target): Promise<number> {
  const headers = { authorization: `Bearer ${rootKey}` };
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers });
  const delay = delayIn(await answer.text());
  if (delay === undefined) throw new Error('the metrics do not say how late the event loop is');
  return delay;
}

/** One case of each class in turn, each class going through the valid requests that it applies to. */
function* generate(
  classes: readonly FuzzClass[],
  bases: readonly Base[],
  tools: Tools,
): Generator<Case, never> {
  const plan = classes.map((each) => ({
    each,
    fitting: bases.filter((base) => each.applies(base)),
  }));
  for (const { each, fitting } of plan) {
    if (fitting.length === 0) throw new Error(`no route takes ${each.name}`);
  }
  for (let round = 0; ; round++) {
    for (const { each, fitting } of plan) {
      const base = fitting[round % fitting.length] as Base;
      yield { class: each.name, operation: base.operation, mutation: each.mutate(base, tools) };
    }
  }
}

/** Every base must be accepted as it is: what is refused anyway proves nothing about its mutations. */
const validCase = (base: Base, rootKey: string): Case => ({
  class: 'valid requests',
  operation: base.operation,
  mutation: { draft: draftOf(base, rootKey), expects: 'acceptance' },
});

export async function fuzz({ requests, seed }: FuzzOptions): Promise<Report> {
  const target = await startTarget();
  const wires = createWires(target.port);
  try {
    return await attack(target, wires, requests, seed);
  } finally {
    wires.close();
    await target.stop();
  }
}

async function attack(
  target: Target,
  wires: Wires,
  requests: number,
  seed: number,
): Promise<Report> {
  const { redis, rootKey, port } = target;
  const fixtures = await createFixtures(target);
  const document = await fetch(`http://127.0.0.1:${port}/openapi.json`);
  const operations = readOperations((await document.json()) as Document);
  const bases = operations.flatMap((operation) => basesOf(operation, fixtures.known));
  const classes = [
    ...[
      ...jsonClasses,
      ...textClasses,
      ...httpClasses,
      ...headerClasses,
      ...keyClasses,
      ...addressClasses,
      ...randomClasses,
    ],
    ...(await createSealedClasses(fixtures)),
  ];
  const names = namesOf(fixtures);
  const ledger = createLedger([
    'valid requests',
    ...classes.map(({ name }) => name),
    FRAMING,
    SLOW,
  ]);
  const random = createRandom(seed);
  const deps = { redis, wires, rootKey };
  const state = await readState(redis);

  let maxLoopDelaySeconds = 0;
  const run = async (cases: readonly Case[]): Promise<void> => {
    for (const { case: each, answer, faults } of await runGroup(cases, state, deps)) {
      ledger.count(each.class, !isRefusal(answer));
      // Whoever reads the metrics sets the delay back, the fuzzed requests too.
      maxLoopDelaySeconds = Math.max(maxLoopDelaySeconds, delayIn(answer.body) ?? 0);
      const operation = each.operation.id;
      for (const what of faults) {
        ledger.find({
          class: each.class,
          operation,
          what,
          reproduction: describe(each.mutation.draft, names),
        });
      }
    }
  };
  // One by one: they would end each other's session.
  for (const base of bases) await run([validCase(base, rootKey)]);
  if (ledger.findings().length > 0)
    throw new Error(`no valid request: ${JSON.stringify(ledger.findings())}`);

  const slow = runSlow(port, rootKey, ledger);
  await loopDelay(target);
  // What the start took does not count.
  maxLoopDelaySeconds = 0;
  const tools = { random, fixtures };
  const share = (mixed: boolean) => classes.filter((each) => each.mixed === mixed);
  const sources = [share(false), share(true)].map((some) => ({
    cases: generate(some, bases, tools),
    weight: some.length / classes.length,
    sent: 0,
  }));
  const framed = Math.max(1, Math.floor(requests / FRAMING_SHARE));
  const generated = requests - framed;
  for (let sent = 0; sent < generated; ) {
    const source = sources.toSorted((a, b) => a.sent / a.weight - b.sent / b.weight)[0];
    if (source === undefined) break;
    const size = Math.min(GROUP_SIZE, generated - sent);
    await run(Array.from({ length: size }, () => source.cases.next().value));
    sent += size;
    source.sent += size;
    maxLoopDelaySeconds = Math.max(maxLoopDelaySeconds, await loopDelay(target));
    if (target.ended() !== undefined) throw new Error(`the service ended: ${target.ended()}`);
    if (sent % 10_000 < size && requests > 10_000) console.error(`${sent} requests sent`);
  }
  await runFraming({ count: framed, random, port, redis, state, rootKey, ledger });
  await slow;
  maxLoopDelaySeconds = Math.max(maxLoopDelaySeconds, await loopDelay(target));
  const whole = { operation: 'all', reproduction: '' };
  if (maxLoopDelaySeconds > MAX_LOOP_DELAY_SECONDS) {
    ledger.find({ ...whole, class: 'event loop', what: `late by ${maxLoopDelaySeconds} s` });
  }
  for (const what of target.logFaults) ledger.find({ ...whole, class: 'log', what });
  const table = ledger.table();
  return { table, findings: ledger.findings(), maxLoopDelaySeconds, logLines: target.logLines() };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
    },
  });
  const started = performance.now();
  const report = await fuzz({ requests: Number(values.requests), seed: Number(values.seed) });
  printReport(report);
  console.log(`seed ${values.seed}, ${Math.round((performance.now() - started) / 1000)} s`);
  const silent = Object.entries(report.table).filter(([, { requests }]) => requests === 0);
  for (const [name] of silent) console.log(`No request of the class ${name} was made.`);
  process.exitCode = report.findings.length > 0 || silent.length > 0 ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
