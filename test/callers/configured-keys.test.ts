// Owns the promise that a configured key is known by all of its text.

import { expect, it } from 'vitest';
import { authenticateConfigured } from '../../src/callers/authenticate.ts';
import type { Caller } from '../../src/callers/caller.ts';

const callerOf = (id: string): Caller => ({ id, permissions: new Set(), scope: {} });
const [first, second] = ['0123456789abcdef-first', 'fedcba9876543210-other'];
const authenticate = authenticateConfigured(
  [
    { key: first, caller: callerOf('first') },
    { key: second, caller: callerOf('second') },
  ],
  () => undefined,
);

it('each key opens for its own caller', () => {
  expect(authenticate(first)).toMatchObject({ id: 'first' });
  expect(authenticate(second)).toMatchObject({ id: 'second' });
});

it('a key that differs in one character, wherever that is, opens nothing', () => {
  for (let at = 0; at < first.length; at++) {
    expect(authenticate(`${first.slice(0, at)}~${first.slice(at + 1)}`)).toBeUndefined();
  }
});

it.each(['', first.slice(0, -1), `${first}0`, 'é'.repeat(first.length / 2)])(
  'what is shorter, longer or as long in bytes alone opens nothing: "%s"',
  (key) => {
    expect(authenticate(key)).toBeUndefined();
  },
);
