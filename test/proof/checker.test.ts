// Owns the proof that the checker can say no: for each invariant a history that breaks it, beside one that keeps all.

import { expect, it } from 'vitest';
import { type Invariant, judge } from '../../proof/checker.ts';
import type { History, Operation } from '../../proof/history.ts';

const T = 1_800_000_000;
const ms = (seconds: number) => (T + seconds) * 1000;

/** An operation of life 1 that begins so many seconds after T and takes 10 ms. */
const operation = (
  kind: Operation['kind'],
  at: number,
  rest: Partial<Operation> = {},
): Operation => ({
  kind,
  life: 1,
  instance: 0,
  startedMs: ms(at),
  endedMs: ms(at) + 10,
  result: 'ok',
  ...rest,
});

/** The pair of a generation, given out at a second after T. */
const pair = (generation: number, at: number) => ({
  jti: `g${generation}`,
  iat: T + at,
  exp: T + at + 900,
});

const started = operation('start', 0, { returned: pair(0, 0) });
const rotated = (from: number, at: number, rest: Partial<Operation> = {}) =>
  operation('refresh', at, { presented: `g${from}`, returned: pair(from + 1, at), ...rest });
const replayed = (from: number, at: number, rotatedAt: number) =>
  operation('refresh', at, {
    presented: `g${from}`,
    returned: pair(from + 1, rotatedAt),
    replayed: true,
  });
const verified = (generation: number, at: number, rest: Partial<Operation> = {}) =>
  operation('verify', at, { presented: `g${generation}`, ...rest });
const refused = (reason: string): Partial<Operation> => ({ result: 'refused', reason });

const historyOf = (operations: readonly Operation[]): History => ({
  operations: [
    started,
    ...operations,
    // Both instances answer somebody after the fault.
    ...[0, 1].map((instance) =>
      operation('start', 101, { life: 2 + instance, instance, returned: pair(50 + instance, 101) }),
    ),
  ],
  lateMs: () => 0,
  usableMs: ms(100),
  retryWindowMs: 30_000,
  absoluteTtlMs: 600_000,
  remembers: true,
  instances: [0, 1],
});

const broken = (...operations: Operation[]): Invariant[] => [
  ...new Set(judge(historyOf(operations)).map(({ invariant }) => invariant)),
];

it('finds nothing wrong with an honest life', () => {
  expect(
    broken(
      verified(0, 1),
      rotated(0, 2),
      replayed(0, 20, 2),
      rotated(1, 30),
      operation('refresh', 31, { presented: 'g2', result: 'unknown' }),
      rotated(2, 40),
      operation('revoke', 50),
      verified(3, 51, refused('ended')),
    ),
  ).toEqual([]);
});

it('finds nothing wrong with a thief who is caught', () => {
  expect(
    broken(
      rotated(0, 2),
      rotated(1, 4),
      operation('refresh', 6, { presented: 'g0', ...refused('reused') }),
      verified(2, 7, refused('ended')),
    ),
  ).toEqual([]);
});

it.each<[Invariant, string, Operation[]]>([
  ['I1', 'a session that nobody ended is gone', [verified(0, 5, refused('ended'))]],
  [
    'I1',
    'a session is gone after some rotations',
    [rotated(0, 2), rotated(1, 4), rotated(2, 6), verified(3, 8, refused('ended'))],
  ],
  [
    'I1',
    'the session of an idempotency key is gone',
    [operation('start', 0, refused('idempotency_key_expired'))],
  ],
  ['I2', 'a token works after its revoke', [operation('revoke', 5), verified(0, 6)]],
  ['I2', 'a refresh works after a revoke', [operation('revoke', 5), rotated(0, 6)]],
  [
    'I3',
    'a refresh token has two successors',
    [rotated(0, 2), operation('refresh', 3, { presented: 'g0', returned: pair(77, 3) })],
  ],
  [
    'I4',
    'a token two generations old is accepted',
    [rotated(0, 2), rotated(1, 4), replayed(0, 6, 2)],
  ],
  ['I5', 'a replay comes after the window', [rotated(0, 2), replayed(0, 40, 2)]],
  ['I5', 'a replay moves the window', [rotated(0, 2), replayed(0, 10, 10)]],
  ['I6', 'a good token is called invalid', [verified(0, 5, refused('invalid'))]],
  [
    'I6',
    'a lost answer is taken for theft',
    [
      operation('refresh', 2, { presented: 'g0', result: 'unknown' }),
      operation('refresh', 4, { presented: 'g0', ...refused('reused') }),
    ],
  ],
  ['I6', 'a caller is refused in an outage', [verified(0, 5, refused('unauthenticated'))]],
  ['I7', 'an answer takes too long', [verified(0, 5, { endedMs: ms(5) + 2001 })]],
  ['I9', 'it is still unavailable', [verified(0, 104, { result: 'unknown' })]],
  [
    'I10',
    'an answer speaks of another session',
    [verified(0, 5, { wrong: { invariant: 'I10', what: 'another' } })],
  ],
  [
    'I12',
    'an answer has no proper form',
    [verified(0, 5, { wrong: { invariant: 'I12', what: '500' } })],
  ],
  [
    'I13',
    'a token does not verify with a young JWKS',
    [verified(0, 5, { wrong: { invariant: 'I13', what: 'unknown kid' } })],
  ],
  ['I14', 'a session outlives its limit', [verified(0, 602)]],
  [
    'I14',
    'a token is issued in the future',
    [operation('refresh', 2, { presented: 'g0', returned: pair(1, 7) })],
  ],
])('%s is broken when %s', (invariant, _, operations) => {
  expect(broken(...operations)).toContain(invariant);
});

it('does not count the time for which the proof itself was late', () => {
  const history = historyOf([verified(0, 5, { endedMs: ms(5) + 2300 })]);
  expect(judge({ ...history, lateMs: () => 299 })).toMatchObject([{ invariant: 'I7' }]);
  expect(judge({ ...history, lateMs: () => 300 })).toEqual([]);
});

it('I9 is broken when an instance never answers again', () => {
  const history = historyOf([]);
  const silent = history.operations.filter(({ instance }) => instance === 0);
  expect(judge({ ...history, operations: silent })).toMatchObject([{ invariant: 'I9' }]);
});

it('takes a second session for one idempotency key for a defect, unless the store has forgotten the first', () => {
  const history = historyOf([operation('start', 1, { returned: pair(1, 1) })]);
  expect(judge(history)).toMatchObject([{ invariant: 'I3' }]);
  expect(judge({ ...history, remembers: false })).toEqual([]);
});

it('forgives an end by a refresh that was given up a moment before, and not later', () => {
  const givenUp = (untilS: number) =>
    operation('refresh', 2, {
      presented: 'g0',
      result: 'unknown',
      givenUp: true,
      endedMs: ms(untilS),
    });
  const rest = [rotated(0, 2), rotated(1, 3), verified(2, 12, refused('ended'))];
  expect(broken(givenUp(2.5), ...rest)).toEqual([]);
  expect(
    broken(givenUp(2), rotated(0, 2), rotated(1, 4), verified(2, 12, refused('ended'))),
  ).toEqual(['I1']);
});

it('forgives a reuse after a refresh that was never answered, once its window may be over, and not before', () => {
  const lost = operation('refresh', 1, { presented: 'g0', result: 'unknown' });
  const retried = (at: number) =>
    operation('refresh', at, { presented: 'g0', ...refused('reused') });
  expect(broken(lost, retried(32))).toEqual([]);
  expect(broken(lost, retried(20))).toEqual(['I6']);
  expect(broken(retried(32))).toEqual(['I6']);
});
