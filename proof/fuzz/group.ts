// Owns sending a group of requests between two looks at Redis, and finding out which refusal changed a key if one did.

import type { Redis } from 'ioredis';
import type { Operation } from './contract.ts';
import type { Mutation } from './fuzz-class.ts';
import { isRefusal, judge, readBackFaults } from './oracle.ts';
import { type Header, toBytes } from './request.ts';
import { changedKeys, readState, restoreState, type StoreState } from './store-state.ts';
import type { Answer, Wires } from './wire.ts';

export interface Case {
  readonly class: string;
  readonly operation: Operation;
  readonly mutation: Mutation;
}

export interface Outcome {
  readonly case: Case;
  readonly answer: Answer;
  readonly faults: readonly string[];
}

export interface GroupDeps {
  readonly redis: Redis;
  readonly wires: Wires;
  readonly rootKey: string;
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const wireForm = ({ mutation: { draft } }: Case) => ({
  bytes: toBytes(draft),
  method: draft.method,
});

/** Whether the answer, or the method, says that nothing was changed. */
const saysNothingChanged = ({ mutation }: Case, answer: Answer): boolean =>
  isRefusal(answer) || SAFE.has(mutation.draft.method);

async function send(cases: readonly Case[], { wires }: GroupDeps): Promise<Answer[]> {
  const answers = await wires.sendAll(cases.map(wireForm));
  for (const [at, answer] of answers.entries()) {
    // A kept-alive connection may be closed in the moment it is used again.
    const one = cases[at];
    if (answer.status === 0 && one) [answers[at] = answer] = await wires.sendAll([wireForm(one)]);
  }
  return answers;
}

/** Reads what was made at its Location, and compares. Undefined if it is gone. */
async function readBack(
  one: Case,
  location: string,
  { wires, rootKey }: GroupDeps,
): Promise<string[] | undefined> {
  const headers: Header[] = [
    ['host', 'fuzz'],
    ['authorization', `Bearer ${rootKey}`],
  ];
  const bytes = toBytes({ method: 'GET', target: location, headers });
  const [read] = await wires.sendAll([{ bytes, method: 'GET' }]);
  if (read?.status === 404) return undefined;
  if (read?.status !== 200) return [`what was accepted is ${read?.status} at its Location`];
  const sent: unknown = JSON.parse(one.mutation.draft.body?.toString() ?? 'null');
  return readBackFaults(sent, JSON.parse(read.body));
}

async function createdFaults(
  one: Case,
  answer: Answer,
  before: StoreState,
  deps: GroupDeps,
): Promise<string[]> {
  const location = answer.headers.get('location');
  if (answer.status !== 201 || location === undefined) return [];
  const faults = await readBack(one, location, deps);
  if (faults !== undefined) return faults;
  // Another request of the group may have removed it: once more, alone.
  await restoreState(deps.redis, before);
  const [again] = await send([one], deps);
  const there = again?.headers.get('location') ?? location;
  return (await readBack(one, there, deps)) ?? ['what was accepted is not at its Location'];
}

/** Those cases alone, from the same beginning: which of them change a key without saying so. Until none of them is accepted. */
async function silentChanges(
  cases: readonly Case[],
  before: StoreState,
  deps: GroupDeps,
): Promise<string[]> {
  for (let alone = cases; alone.length > 0; ) {
    await restoreState(deps.redis, before);
    const start = await readState(deps.redis);
    const answers = await send(alone, deps);
    const quiet = alone.filter((each, at) => saysNothingChanged(each, answers[at] as Answer));
    if (quiet.length === alone.length) return changedKeys(start, await readState(deps.redis));
    alone = quiet;
  }
  return [];
}

/** Sends the cases some at a time, and judges each answer and what all of them did to the store. Leaves the store as it was. */
export async function runGroup(
  cases: readonly Case[],
  base: StoreState,
  deps: GroupDeps,
): Promise<Outcome[]> {
  await restoreState(deps.redis, base);
  const before = await readState(deps.redis);
  const answers = await send(cases, deps);
  const after = await readState(deps.redis);
  const faults = cases.map(({ operation, mutation }, at) =>
    judge(
      { operation: mutation.anyRoute ? undefined : operation, mutation },
      answers[at] as Answer,
    ),
  );
  for (const [at, each] of cases.entries()) {
    faults[at]?.push(...(await createdFaults(each, answers[at] as Answer, before, deps)));
  }
  if (changedKeys(before, after).length > 0) {
    const quiet = cases.filter((each, at) => saysNothingChanged(each, answers[at] as Answer));
    const all = quiet.length === cases.length;
    const changed = all ? changedKeys(before, after) : await silentChanges(quiet, before, deps);
    if (changed.length > 0) {
      let named = 0;
      for (const each of quiet) {
        const keys = await silentChanges([each], before, deps);
        if (keys.length === 0) continue;
        named++;
        faults[cases.indexOf(each)]?.push(`a refusal changed ${keys.length} keys`);
      }
      if (named === 0)
        faults[cases.indexOf(quiet[0] as Case)]?.push(
          'some refusal of the group of this one changed a key',
        );
    }
  }
  return cases.map((each, at) => ({
    case: each,
    answer: answers[at] as Answer,
    faults: faults[at] ?? [],
  }));
}
