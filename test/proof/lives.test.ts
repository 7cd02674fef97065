// Owns what must hold of the people of a proof themselves, whoever answers them.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Client, Question } from '../../proof/client.ts';
import { watchLateness } from '../../proof/lateness.ts';
import { createLives } from '../../proof/lives.ts';
import { run } from '../../proof/run.ts';
import { type Scenario, scenarios } from '../../proof/scenarios.ts';

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

it('nobody goes on living in the world of a fault that could not be made', async () => {
  const asked = vi.spyOn(globalThis, 'fetch');
  onTestFinished(() => asked.mockRestore());
  const [scenario] = scenarios as [Scenario];
  const fault = () => Promise.reject(new Error('it could not be made'));
  const options = { rate: 100, holdMs: 100, random: Math.random };
  await expect(run({ ...scenario, warmUpMs: 500, fault }, options)).rejects.toThrow('not be made');
  expect(asked).toHaveBeenCalled();
  asked.mockClear();
  await sleep(300);
  expect(asked).not.toHaveBeenCalled();
});
