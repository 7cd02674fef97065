// Owns the promises about what an instance does by itself: in step with the store every 5 s, a look at it every minute, whatever failed before.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { keepHouse } from '../src/housekeeping.ts';
import { createLogger } from '../src/http/logger.ts';
import { Outage } from '../src/sessions/errors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const ROUND_MS = 5_000;

function start(fail: Partial<Record<'ask' | 'synchronize' | 'inspect', () => boolean>> = {}) {
  const done: string[] = [];
  const step = (name: 'ask' | 'synchronize' | 'inspect') => async () => {
    done.push(name);
    if (fail[name]?.()) throw new Outage(`${name}: test`);
  };
  const logger = createLogger('silent');
  const error = vi.spyOn(logger, 'error');
  keepHouse({
    inspect: step('inspect'),
    storeClock: { ask: step('ask') },
    keys: { synchronize: step('synchronize') },
    logger,
  });
  const rounds = (count: number) => vi.advanceTimersByTimeAsync(count * ROUND_MS);
  const count = (name: string) => done.filter((each) => each === name).length;
  return { done, rounds, count, error };
}

it('every 5 s the clock is asked for, and then the keys are brought in step', async () => {
  const { done, rounds } = start();
  await vi.advanceTimersByTimeAsync(ROUND_MS - 1);
  expect(done).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toEqual(['ask', 'synchronize']);
  await rounds(1);
  expect(done).toEqual(['ask', 'synchronize', 'ask', 'synchronize']);
});

it('every minute the store is looked at', async () => {
  const { rounds, count } = start();
  await rounds(11);
  expect(count('inspect')).toBe(0);
  await rounds(1);
  expect(count('inspect')).toBe(1);
  await rounds(24);
  expect(count('inspect')).toBe(3);
});

it.each(['ask', 'synchronize', 'inspect'] as const)(
  'when it fails to %s, it says so and goes on',
  async (name) => {
    let failing = true;
    const { rounds, count, error } = start({ [name]: () => failing });
    await rounds(12);
    expect(error).toHaveBeenCalledWith({ why: `${name}: test` }, 'housekeeping failed');
    failing = false;
    error.mockClear();
    const before = [count('ask'), count('synchronize')];
    await rounds(12);
    expect([count('ask'), count('synchronize')]).toEqual(before.map((each) => each + 12));
    expect(count('inspect')).toBeGreaterThan(0);
    expect(error).not.toHaveBeenCalled();
  },
);
