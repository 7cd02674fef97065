// Owns the verdict on a history: invariants I1 to I14 (docs/reliability.md), each a function over what was written down.

import type { History, Operation } from './history.ts';

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
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
}

const ANSWER_WITHIN_MS = 2000;
const RECOVER_WITHIN_MS = 3000;
/** The clock of a token counts whole seconds. */
const SECOND_MS = 1000;

/** A pair that was returned: it may have existed from the beginning of the call that returned it, and did from its end on. */
interface KnownPair {
  readonly iat: number;
  readonly exp: number;
  readonly bornMs: number;
  readonly seenMs: number;
}

/** All operations of one session, by the moment they began. */
interface Life {
  readonly operations: readonly Operation[];
  /** Pairs by the pair they were given for. */
  readonly parents: ReadonlyMap<string, string>;
  readonly known: ReadonlyMap<string, KnownPair>;
  /** From here on the session may have ended: somebody asked for it, or presented a token that ends it. */
  readonly mayEndFromMs: number;
  /** From here on it must be dead: a revoke was acknowledged, or a reuse was detected. */
  readonly deadFromMs: number;
  /** Bounds of its absolute limit. */
  readonly absoluteMs: { readonly earliest: number; readonly latest: number };
}

/** How many rotations lie between two pairs; undefined if the one does not descend from the other. */
function distance(life: Life, ancestor: string, descendant: string): number | undefined {
  let steps = 0;
  for (let at: string | undefined = descendant; at !== undefined; at = life.parents.get(at)) {
    if (at === ancestor) return steps;
    steps++;
  }
  return undefined;
}

/** By how many rotations the furthest of these descendants is ahead of a pair. */
const generationsBehind = (
  life: Life,
  jti: string,
  counts: (descendant: KnownPair) => boolean,
): number =>
  Math.max(
    0,
    ...[...life.known]
      .filter(([, pair]) => counts(pair))
      .map(([other]) => distance(life, jti, other) ?? 0),
  );

function toLife(operations: readonly Operation[], history: History): Life {
  const parents = new Map<string, string>();
  const known = new Map<string, KnownPair>();
  for (const { presented, returned, startedMs, endedMs } of operations) {
    if (returned === undefined) continue;
    const { bornMs = startedMs, seenMs = endedMs } = known.get(returned.jti) ?? {};
    known.set(returned.jti, {
      ...returned,
      bornMs: Math.min(bornMs, startedMs),
      seenMs: Math.min(seenMs, endedMs),
    });
    if (presented !== undefined) parents.set(returned.jti, presented);
  }
  const firstIat = Math.min(...[...known.values()].map(({ iat }) => iat));
  const life: Life = {
    operations: [...operations].sort((a, b) => a.startedMs - b.startedMs),
    parents,
    known,
    mayEndFromMs: Number.POSITIVE_INFINITY,
    deadFromMs: Number.POSITIVE_INFINITY,
    absoluteMs: {
      earliest: firstIat * SECOND_MS + history.absoluteTtlMs,
      latest: (firstIat + 1) * SECOND_MS + history.absoluteTtlMs,
    },
  };
  const staleRefresh = ({ kind, presented, endedMs }: Operation): boolean =>
    kind === 'refresh' && presented !== undefined && mayBeReuse(life, presented, endedMs, history);
  const ending = operations.filter(
    (operation) => operation.kind === 'revoke' || staleRefresh(operation),
  );
  const ended = operations.filter(
    ({ kind, result, reason }) =>
      (kind === 'revoke' && result === 'ok') || (kind === 'refresh' && reason === 'reused'),
  );
  return {
    ...life,
    mayEndFromMs: Math.min(Number.POSITIVE_INFINITY, ...ending.map(({ startedMs }) => startedMs)),
    deadFromMs: Math.min(Number.POSITIVE_INFINITY, ...ended.map(({ endedMs }) => endedMs)),
  };
}

/** Whether a refresh that ended at `endedMs` may rightly have been taken for a reuse of an old token. */
function mayBeReuse(life: Life, presented: string, endedMs: number, history: History): boolean {
  if (generationsBehind(life, presented, ({ bornMs }) => bornMs <= endedMs) >= 2) return true;
  const successor = [...life.parents].find(([, parent]) => parent === presented)?.[0];
  const pair = successor === undefined ? undefined : life.known.get(successor);
  if (pair !== undefined) return endedMs >= pair.iat * SECOND_MS + windowMs(pair, history);
  // A refresh that was never answered may have rotated all the same, and its window may be over: lives are of one length.
  const own = life.known.get(presented);
  return life.operations.some(
    ({ kind, result, presented: same, startedMs }) =>
      kind === 'refresh' &&
      result === 'unknown' &&
      same === presented &&
      own !== undefined &&
      endedMs >= startedMs + windowMs(own, history),
  );
}

/** The retry window of the rotation that made a pair: as configured, and a third of the life of its token at most. */
const windowMs = (
  { iat, exp }: Pick<KnownPair, 'iat' | 'exp'>,
  { retryWindowMs }: Pick<History, 'retryWindowMs'>,
): number => Math.min(retryWindowMs, ((exp - iat) * SECOND_MS) / 3);

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
    const lost = ['ended', 'session_not_found', 'user_not_found'].includes(reason);
    return [say(lost ? 'I1' : 'I6', operation, `a good token was refused as ${reason}`)];
  });

/** After an acknowledged revoke, or a detected theft, nothing works (I2, I4). */
const deadIsDead: Rule = (life) =>
  life.operations.flatMap((operation) =>
    !['revoke', 'user'].includes(operation.kind) &&
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

/** A start under an idempotency key, sent twice, gives one session: the first pairs of a life are one (I3). */
const oneStart: Rule = ({ operations }) => {
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
    !['revoke', 'start', 'user'].includes(operation.kind) &&
    operation.result === 'ok' &&
    operation.startedMs > life.absoluteMs.latest
      ? [say('I14', operation, 'succeeded after the absolute limit')]
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
];

const inTime = ({ operations }: History): Violation[] =>
  operations.flatMap((operation) => {
    const tookMs = operation.endedMs - operation.startedMs;
    return tookMs > ANSWER_WITHIN_MS ? [say('I7', operation, `took ${Math.round(tookMs)} ms`)] : [];
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
