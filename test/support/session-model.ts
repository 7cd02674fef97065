// Owns the model of sessions: what a reader of the design expects of start, refresh and verify. Knows no store and no code of the product.

export interface ModelPolicy {
  readonly tokenTtlSeconds: number;
  readonly idleTtlSeconds: number;
  readonly absoluteTtlSeconds: number;
  readonly refreshRetrySeconds: number;
  readonly retryUntilUsed?: boolean;
  readonly maxSessionsPerUser?: number;
  readonly onLimit?: 'reject' | 'evict_oldest';
}

export interface ModelSession {
  /** Undefined while no answer has named it. */
  id: string | undefined;
  readonly user: string;
  readonly tag: string;
  readonly endsAtMs: number;
  expiresAtMs: number;
  ended: boolean;
  generation: number;
  rotatedAtMs: number;
  tokenExpiresAtMs: number;
  /** Whether the successor was seen; true where the window did not wait for it when it was made. */
  seen: boolean;
  renewed: boolean;
}

type ExpectedRefresh = 'rotated' | 'replayed' | 'renewed' | 'reused' | 'ended';
type ExpectedVerdict = 'valid' | 'expired' | 'ended';

export const isAlive = (session: ModelSession, nowMs: number): boolean =>
  !session.ended && nowMs < session.expiresAtMs;

/** False if there is no whole second left to put into a token. */
function giveTimes(session: ModelSession, policy: ModelPolicy, nowMs: number): boolean {
  const second = Math.floor(nowMs / 1000);
  const last = Math.floor(session.endsAtMs / 1000);
  const tokenExpiresAt = Math.min(second + policy.tokenTtlSeconds, last);
  if (tokenExpiresAt <= second) return false;
  session.rotatedAtMs = nowMs;
  session.expiresAtMs = Math.min(nowMs + policy.idleTtlSeconds * 1000, session.endsAtMs);
  session.tokenExpiresAtMs = tokenExpiresAt * 1000;
  return true;
}

export function startModel(
  policy: ModelPolicy,
  nowMs: number,
  of: { readonly id?: string; readonly user: string; readonly tag: string },
): ModelSession {
  const session: ModelSession = {
    id: of.id,
    user: of.user,
    tag: of.tag,
    endsAtMs: nowMs + policy.absoluteTtlSeconds * 1000,
    expiresAtMs: 0,
    ended: false,
    generation: 0,
    rotatedAtMs: nowMs,
    tokenExpiresAtMs: 0,
    seen: true,
    renewed: false,
  };
  giveTimes(session, policy, nowMs);
  return session;
}

/** What a refresh token of generation `presented` is answered with; the session is changed as the answer says. */
export function refreshModel(
  session: ModelSession,
  presented: number,
  nowMs: number,
  policy: ModelPolicy,
): ExpectedRefresh {
  if (!isAlive(session, nowMs)) return 'ended';
  if (presented === session.generation) {
    if (!giveTimes(session, policy, nowMs)) return 'ended';
    session.generation += 1;
    session.seen = policy.retryUntilUsed !== true;
    session.renewed = false;
    return 'rotated';
  }
  const tokenLifeMs = session.tokenExpiresAtMs - Math.floor(session.rotatedAtMs / 1000) * 1000;
  const windowMs = Math.min(policy.refreshRetrySeconds * 1000, tokenLifeMs / 3);
  const open =
    (!session.renewed && nowMs < session.rotatedAtMs + windowMs) ||
    (policy.retryUntilUsed === true && !session.seen);
  if (presented !== session.generation - 1 || !open) {
    session.ended = true;
    return 'reused';
  }
  if (nowMs < session.tokenExpiresAtMs || session.renewed) return 'replayed';
  if (!giveTimes(session, policy, nowMs)) return 'ended';
  session.renewed = true;
  return 'renewed';
}

/** What a token of this generation and `exp` is answered with. */
export function verifyModel(
  session: ModelSession,
  token: { readonly generation: number; readonly expiresAtMs: number },
  nowMs: number,
): ExpectedVerdict {
  if (nowMs >= token.expiresAtMs) return 'expired';
  if (!isAlive(session, nowMs)) return 'ended';
  if (token.generation === session.generation) session.seen = true;
  return 'valid';
}

/** All sessions that ever were, in the order of their starts. `perUser`: live ones of one user, whatever their tags. */
export function createCrowdModel(perUser: number) {
  const all: ModelSession[] = [];
  const liveOf = (user: string, tag: string | undefined, nowMs: number): ModelSession[] =>
    all.filter((one) => one.user === user && (tag ?? one.tag) === one.tag && isAlive(one, nowMs));
  return {
    all: all as readonly ModelSession[],
    find: (id: string): ModelSession | undefined => all.find((one) => one.id === id),
    /** The new session and those that make room for it; undefined if there is no room. */
    start(policy: ModelPolicy, nowMs: number, of: Parameters<typeof startModel>[2]) {
      const { maxSessionsPerUser: most, onLimit } = policy;
      const underTag = liveOf(of.user, of.tag, nowMs);
      const excess = underTag.slice(0, Math.max(0, underTag.length + 1 - (most ?? 10_000)));
      if (excess.length > 0 && onLimit !== 'evict_oldest') return undefined;
      if (liveOf(of.user, undefined, nowMs).length - excess.length >= perUser) return undefined;
      for (const each of excess) each.ended = true;
      const session = startModel(policy, nowMs, of);
      all.push(session);
      return { session, evicted: excess };
    },
    /** How many were ended. */
    endUser(user: string, tag: string | undefined, nowMs: number, except?: string): number {
      const ending = liveOf(user, tag, nowMs).filter(({ id }) => id === undefined || id !== except);
      for (const each of ending) each.ended = true;
      return ending.length;
    },
  };
}
