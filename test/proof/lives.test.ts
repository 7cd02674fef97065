// Owns what must hold of the people of a proof themselves, whoever answers them.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Client, Question } from '../../proof/client.ts';
import { watchLateness } from '../../proof/lateness.ts';
import { createLives } from '../../proof/lives.ts';

/** Answers nobody, as a service does whose store is stopped. */
const silent: Client = {
  operations: [],
  tokenParts: new Set(),
  errorBodies: [],
  calls: new Set(),
  ask: async ({ kind, life, instance }: Question) => ({
    operation: { kind, life, instance, startedMs: 0, endedMs: 0, result: 'unknown' },
  }),
};

it('a hundred thousand lives of a long outage are examined without the proof standing still', async () => {
  const lives = createLives(silent, Math.random);
  for (let step = 0; step < 100_000; step++) await lives.step();

  const lateness = watchLateness();
  await sleep(50);
  await lives.examine();
  await sleep(50);
  lateness.stop();

  expect(lateness.longest()).toBeLessThan(500);
});
