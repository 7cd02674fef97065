// Owns the promises of the cache of session types: how old it may be, how often it asks, how much it holds.

import { expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import { createTextCache } from '../../src/sessions/text-cache.ts';
import { createManualClock } from '../support/test-app.ts';

function open() {
  const clock = createManualClock();
  const state = { text: 'one' as string | undefined, reads: 0, made: 0, down: false };
  const cache = createTextCache({
    clock,
    read: async () => {
      state.reads++;
      if (state.down) throw new Outage('read type: test');
      return state.text;
    },
    make: (text) => {
      state.made++;
      return { text };
    },
  });
  /** Whether an answer was there at once, and its text. */
  const ask = async (product = 'p') => {
    const answer = cache.get(product, 't');
    return [answer instanceof Promise ? 'waited' : 'known', (await answer).text];
  };
  return { clock, state, cache, ask };
}

/** Lets background work finish. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

it('what was read is known for two seconds without another question', async () => {
  const { clock, state, ask } = open();
  expect(await ask()).toEqual(['waited', 'one']);
  state.text = 'two';
  clock.advance(1_999);
  expect(await ask()).toEqual(['known', 'one']);
  expect(state.reads).toBe(1);
});

it('an older one is read again in the background, once however many ask', async () => {
  const { clock, state, ask } = open();
  await ask();
  state.text = 'two';
  clock.advance(2_000);
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([
    ['known', 'one'],
    ['known', 'one'],
    ['known', 'one'],
  ]);
  await settle();
  expect(state.reads).toBe(2);
  expect(await ask()).toEqual(['known', 'two']);
});

it('after four seconds nothing is believed any more', async () => {
  const { clock, state, ask } = open();
  await ask();
  state.text = undefined;
  clock.advance(4_000);
  expect(await ask()).toEqual(['waited', undefined]);
});

it('an outage is felt after four seconds, not before, and is over when it is over', async () => {
  const { clock, state, ask } = open();
  await ask();
  state.down = true;
  clock.advance(3_999);
  expect(await ask()).toEqual(['known', 'one']);
  await settle();
  clock.advance(1);
  await expect(ask()).rejects.toThrow(Outage);
  state.down = false;
  expect(await ask()).toEqual(['waited', 'one']);
});

it('the age counts from the question, not from the answer', async () => {
  const { clock, cache } = open();
  const first = cache.get('p', 't');
  clock.advance(4_000);
  await first;
  expect(cache.get('p', 't')).toBeInstanceOf(Promise);
});

it('what has not changed is not made again', async () => {
  const { clock, state, ask } = open();
  await ask();
  clock.advance(3_000);
  await ask();
  await settle();
  expect(state).toMatchObject({ reads: 2, made: 1 });
});

it('a change made here is seen here at once, also by a reading that was under way', async () => {
  const { clock, state, cache, ask } = open();
  await ask();
  clock.advance(2_000);
  const overtaken = ask();
  cache.forget('p', 't');
  state.text = 'two';
  await overtaken;
  expect(await ask()).toEqual(['waited', 'two']);
});

it('a tag without a type is remembered as one', async () => {
  const { state, ask } = open();
  state.text = undefined;
  await ask();
  expect(await ask()).toEqual(['known', undefined]);
  expect(state.reads).toBe(1);
});

it('at most 4,096 are held, the longest unread leaves first', async () => {
  const { state, ask } = open();
  for (let i = 0; i < 4_097; i++) await ask(`p${i}`);
  expect(await ask('p1')).toEqual(['known', 'one']);
  expect(await ask('p0')).toEqual(['waited', 'one']);
  expect(state.reads).toBe(4_098);
});
