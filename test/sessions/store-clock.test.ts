// Owns the promise that the store's time is the only time, however wrong or slow this machine is.

import { expect, it } from 'vitest';
import { createStoreClock } from '../../src/sessions/store-clock.ts';
import { createManualClock } from '../support/test-app.ts';

const HOUR_MS = 3_600_000;

it("the time is the store's, asked for once and then kept", async () => {
  const clock = createManualClock(5);
  let asked = 0;
  const storeClock = createStoreClock(clock, async () => {
    asked++;
    return clock.monotonicMs() + HOUR_MS;
  });
  expect(await storeClock.now()).toBe(5 + HOUR_MS);
  clock.advance(1000);
  expect(await storeClock.now()).toBe(1005 + HOUR_MS);
  expect(asked).toBe(1);
});

it("every read teaches it when the store's clock has moved", async () => {
  const clock = createManualClock(0);
  const storeClock = createStoreClock(clock, async () => 0);
  await storeClock.learn(async () => ({ nowMs: 50_000 }));
  expect(await storeClock.now()).toBe(50_000);
  await storeClock.learn(async () => ({ nowMs: 20_000 }));
  expect(await storeClock.now()).toBe(20_000);
});

it('a slow reply does not disturb a good estimate', async () => {
  const clock = createManualClock(0);
  const storeClock = createStoreClock(clock, async () => 0);
  await storeClock.learn(async () => ({ nowMs: 1_000_000 }));
  await storeClock.learn(async () => {
    clock.advance(100);
    const nowMs = 1_000_000 + clock.monotonicMs();
    clock.advance(900);
    return { nowMs };
  });
  expect(await storeClock.now()).toBe(1_000_000 + 1000);
});

it('a failed read teaches nothing', async () => {
  const clock = createManualClock(7);
  const storeClock = createStoreClock(clock, async () => 7);
  await expect(storeClock.learn(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
  expect(await storeClock.now()).toBe(7);
});

it('asked to, it asks again', async () => {
  const clock = createManualClock(0);
  let storeMs = 1000;
  const storeClock = createStoreClock(clock, async () => storeMs);
  expect(await storeClock.now()).toBe(1000);
  storeMs = 90_000;
  await storeClock.ask();
  expect(await storeClock.now()).toBe(90_000);
});
