// Owns what a history says of one session: its pairs and how they descend, and the bounds of the moments at which it may or must have ended.

import type { History, Operation } from './history.ts';

/** The clock of a token counts whole seconds. */
export const SECOND_MS = 1000;
/** A refresh that nobody waits for any more ends no session, once the service has noticed. */
const UNNOTICED_MS = 1000;

/** A pair that was returned: it may have existed from the beginning of the call that returned it, and did from its end on. */
interface KnownPair {
  readonly iat: number;
  readonly exp: number;
  readonly bornMs: number;
  readonly seenMs: number;
}

/** All operations of one session, by the moment they began. */
export interface Life {
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
export const generationsBehind = (
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

export function toLife(operations: readonly Operation[], history: History): Life {
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
  const staleRefresh = ({ kind, presented, givenUp, endedMs }: Operation): boolean =>
    kind === 'refresh' &&
    presented !== undefined &&
    mayBeReuse(life, presented, endedMs + (givenUp ? UNNOTICED_MS : 0), history);
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
export const windowMs = (
  { iat, exp }: Pick<KnownPair, 'iat' | 'exp'>,
  { retryWindowMs }: Pick<History, 'retryWindowMs'>,
): number => Math.min(retryWindowMs, ((exp - iat) * SECOND_MS) / 3);
