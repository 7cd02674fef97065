// Owns the verdict on a history: invariants I1 to I14 (docs/reliability.md), each a function over what was written down. That no secret is
// written anywhere is judged beside them.

import type { History, Operation } from './history.ts';
import { generationsBehind, type Life, SECOND_MS, toLife, windowMs } from './one-life.ts';

export const INVARIANTS = [
  'I1',
  'I2',
  'I3',
  'I4',
  'I5',
  'I6',
  'I7',
  'I8',
  'I9',
  'I10',
  'I11',
  'I12',
  'I13',
  'I14',
  'secrets',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
}

const ANSWER_WITHIN_MS = 2000;
const RECOVER_WITHIN_MS = 3000;

/** What is said of something that is not there. */
const LOST = [
  'ended',
  'session_not_found',
  'user_not_found',
  'session_type_not_found',
  'api_key_not_found',
  // The session that the key stands for was there a moment ago.
  'idempotency_key_expired',
];

type Rule = (life: Life, history: History) => readonly Violation[];

const say = (
  invariant: Invariant,
  { kind, life, instance }: Operation,
  what: string,
): Violation => ({
  invariant,
  what: `${kind} of life ${life} at instance ${instance}: ${what}`,
});

/** Nothing acknowledged is lost, and no good token is refused (I1, I6). */
const goodIsGood: Rule = (life) =>
  life.operations.flatMap((operation): Violation[] => {
    const { result, reason = '', presented = '', endedMs, kind } = operation;
    if (result !== 'refused' || operation.respelled) return [];
    if (endedMs >= life.mayEndFromMs || endedMs >= life.absoluteMs.earliest) return [];
    const exp = life.known.get(presented)?.exp ?? Number.POSITIVE_INFINITY;
    if (kind === 'verify' && reason === 'expired' && endedMs >= exp * SECOND_MS) return [];
    const lost = LOST.includes(reason);
    return [say(lost ? 'I1' : 'I6', operation, `a good token was refused as ${reason}`)];
  });

/** After an acknowledged revoke, or a detected theft, nothing works (I2, I4). */
const deadIsDead: Rule = (life) =>
  life.operations.flatMap((operation) =>
    !['revoke', 'user', 'numbers'].includes(operation.kind) &&
    operation.result === 'ok' &&
    operation.startedMs > life.deadFromMs
      ? [say('I2', operation, 'succeeded after the session had ended')]
      : [],
  );

/** Whatever is asked and answered, a refresh token has one successor (I3). */
const oneSuccessor: Rule = (life) => {
  const successors = new Map<string, Set<string>>();
  return life.operations.flatMap((operation) => {
    const { presented, returned } = operation;
    if (presented === undefined || returned === undefined) return [];
    const all = successors.get(presented) ?? new Set();
    successors.set(presented, all.add(returned.jti));
    return all.size > 1 ? [say('I3', operation, 'a second successor of one refresh token')] : [];
  });
};

/** A start under an idempotency key, sent twice, gives one session (I3), unless the store has forgotten the first: the first pairs of a life are one. */
const oneStart: Rule = ({ operations }, { remembers }) => {
  if (!remembers) return [];
  const starts = operations.filter(({ kind, returned }) => kind === 'start' && returned);
  return starts
    .filter(({ returned }) => returned?.jti !== starts[0]?.returned?.jti)
    .map((operation) => say('I3', operation, 'a second session for one idempotency key'));
};

/** A token two generations old is refused (I4). */
const oldIsRefused: Rule = (life) =>
  life.operations.flatMap((operation) => {
    const { kind, presented, result, startedMs } = operation;
    if (kind !== 'refresh' || presented === undefined || result !== 'ok') return [];
    return generationsBehind(life, presented, ({ seenMs }) => seenMs <= startedMs) >= 2
      ? [say('I4', operation, 'a token two generations old was accepted')]
      : [];
  });

/** The retry window ends when it should (I5): no replay comes after it, and none moves the moment it is counted from. */
const windowIsKept: Rule = ({ operations }, history) => {
  const rotatedAt = new Map<string, number>();
  for (const { returned, replayed } of operations) {
    if (returned === undefined || replayed) continue;
    rotatedAt.set(returned.jti, Math.max(rotatedAt.get(returned.jti) ?? 0, returned.iat));
  }
  return operations.flatMap((operation) => {
    const { replayed, returned, startedMs } = operation;
    if (!replayed || returned === undefined) return [];
    const endsMs = (returned.iat + 1) * SECOND_MS + windowMs(returned, history);
    if (startedMs > endsMs) return [say('I5', operation, 'replayed after the window')];
    return returned.iat > (rotatedAt.get(returned.jti) ?? returned.iat)
      ? [say('I5', operation, 'a replay moved the window')]
      : [];
  });
};

/** No session outlives its absolute limit (I14). */
const limitIsKept: Rule = (life) =>
  life.operations.flatMap((operation) =>
    !['revoke', 'start', 'user', 'numbers'].includes(operation.kind) &&
    operation.result === 'ok' &&
    operation.startedMs > life.absoluteMs.latest
      ? [say('I14', operation, 'succeeded after the absolute limit')]
      : [],
  );

/** A pair is issued at the store's time, whichever clock an instance has: never in the future (I14). */
const issuedByNow: Rule = ({ operations }) =>
  operations.flatMap((operation) =>
    operation.returned !== undefined && operation.returned.iat * SECOND_MS > operation.endedMs
      ? [say('I14', operation, 'a token from the future')]
      : [],
  );

const lifeRules: readonly Rule[] = [
  goodIsGood,
  deadIsDead,
  oneSuccessor,
  oneStart,
  oldIsRefused,
  windowIsKept,
  limitIsKept,
  issuedByNow,
];

/** Every answer comes in time (I7); what the proof itself took to see it is not counted. */
const inTime = ({ operations, lateMs }: History): Violation[] =>
  operations.flatMap((operation) => {
    const { startedMs, endedMs } = operation;
    if (endedMs - startedMs <= ANSWER_WITHIN_MS) return [];
    const late = lateMs(startedMs, endedMs);
    return endedMs - startedMs - late > ANSWER_WITHIN_MS
      ? [say('I7', operation, `took ${endedMs - startedMs} ms, ${late} of them the proof's own`)]
      : [];
  });

/** From the store being usable to the first good answer of an instance, in ms; undefined if there was none. */
export function recoveryMs(
  { operations, usableMs }: History,
  instance: number,
): number | undefined {
  const good = operations.filter(
    (each) =>
      each.instance === instance &&
      each.result === 'ok' &&
      each.endedMs >= usableMs &&
      each.kind !== 'read',
  );
  return good.length === 0 ? undefined : Math.min(...good.map(({ endedMs }) => endedMs)) - usableMs;
}

const recovers = (history: History): Violation[] => [
  ...history.instances.flatMap((instance): Violation[] => {
    const tookMs = recoveryMs(history, instance);
    return tookMs !== undefined && tookMs <= RECOVER_WITHIN_MS
      ? []
      : [{ invariant: 'I9', what: `instance ${instance} recovered after ${tookMs ?? 'never'} ms` }];
  }),
  ...history.operations.flatMap((operation) =>
    operation.result === 'unknown' && operation.startedMs > history.usableMs + RECOVER_WITHIN_MS
      ? [say('I9', operation, 'still unavailable')]
      : [],
  ),
];

const wellFormed = ({ operations }: History): Violation[] =>
  operations.flatMap((operation) =>
    operation.wrong === undefined
      ? []
      : [say(operation.wrong.invariant, operation, operation.wrong.what)],
  );

/** Everything in the history that breaks a promise. */
export function judge(history: History): readonly Violation[] {
  const lives = new Map<number, Operation[]>();
  for (const operation of history.operations) {
    lives.set(operation.life, [...(lives.get(operation.life) ?? []), operation]);
  }
  return [
    ...[...lives.values()].flatMap((operations) => {
      const life = toLife(operations, history);
      return lifeRules.flatMap((rule) => rule(life, history));
    }),
    ...inTime(history),
    ...recovers(history),
    ...wellFormed(history),
  ];
}
