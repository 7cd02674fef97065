// Owns the promise that the proof takes no more off the time of an answer than it was late itself.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { watchLateness } from '../../proof/lateness.ts';
import { allHeld, table } from '../../proof/prove.ts';
import { MIN_JUDGED, type RunResult } from '../../proof/run.ts';
import { type Scenario, scenarios } from '../../proof/scenarios.ts';

const standStill = (ms: number): void => {
  for (const untilMs = Date.now() + ms; Date.now() < untilMs; );
};

it('counts the time for which this process could not send, or could not see an answer', async () => {
  const lateness = watchLateness();
  await sleep(50);
  const fromMs = Date.now();
  standStill(300);
  const untilMs = Date.now();
  await sleep(50);
  lateness.stop();
  expect(lateness.most(fromMs, untilMs)).toBeGreaterThan(250);
  expect(lateness.most(fromMs, untilMs + 60_000)).toBeGreaterThan(250);
  expect(lateness.most(fromMs - 60_000, untilMs)).toBeGreaterThan(250);
  expect(lateness.most(fromMs + 200, untilMs)).toBeLessThanOrEqual(untilMs - fromMs - 200);
  expect(lateness.most(untilMs + 60_000, untilMs + 61_000)).toBe(0);
});

it('does not count a standstill after the request had left and before its answer came', async () => {
  const lateness = watchLateness();
  const fromMs = Date.now();
  await sleep(100);
  standStill(300);
  await sleep(100);
  lateness.stop();
  expect(lateness.most(fromMs, Date.now())).toBeLessThan(100);
  expect(lateness.longest()).toBeGreaterThan(250);
});

it.each([
  { stoodStillMs: 999, counts: true },
  { stoodStillMs: 1000, counts: false },
])('a run in which the proof stood still for $stoodStillMs ms counts: $counts', (each) => {
  const [scenario] = scenarios as [Scenario];
  const result: RunResult = {
    judged: MIN_JUDGED,
    unknown: 0,
    stoodStillMs: each.stoodStillMs,
    recoveryMs: 0,
    violations: [],
    missing: [],
  };
  const proven = [{ scenario, results: [result] }];
  expect(allHeld(proven)).toBe(each.counts);
  expect(table(proven)[0]).toMatchObject({ I7: each.counts ? '1/1' : '0/0' });
});
