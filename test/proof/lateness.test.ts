// Owns the promise that the proof takes no more off the time of an answer than it was late itself.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { watchLateness } from '../../proof/lateness.ts';

it('counts the time for which this process did nothing else, where it falls into the time asked about', async () => {
  const lateness = watchLateness();
  await sleep(50);
  const fromMs = Date.now();
  while (Date.now() < fromMs + 300);
  const untilMs = Date.now();
  await sleep(50);
  lateness.stop();
  expect(lateness.most(fromMs, untilMs)).toBeGreaterThan(250);
  expect(lateness.most(fromMs + 200, untilMs)).toBeLessThanOrEqual(untilMs - fromMs - 200);
  expect(lateness.most(untilMs + 60_000, untilMs + 61_000)).toBe(0);
});
