// Owns the model of users: a plain recount of everything that ever happened, against which stores are compared.

import type { Session, UserRef } from '../../src/sessions/session.ts';
import type { Creation, TagLimit } from '../../src/sessions/session-store.ts';
import type { Activity, User } from '../../src/sessions/user-store.ts';
import { bucketMate, RETENTION_MS } from '../support/sessions.ts';

const DAY_MS = 24 * 3_600_000;

interface Life {
  session: Session;
  /** When it was ended by somebody; undefined if it lives or ran out. */
  endedAtMs?: number;
}

/** Something that happened to a user under a tag. */
interface Sight {
  readonly life: Life;
  readonly atMs: number;
}

export type Step =
  | { do: 'start'; over: Partial<Session>; underTag: TagLimit | undefined }
  | { do: 'refresh'; session: Session; lifeMs: number }
  | { do: 'remove'; session: Session }
  | { do: 'removeUser'; user: UserRef & { tag?: string | undefined } }
  | { do: 'erase'; user: UserRef }
  | { do: 'wait'; ms: number };

export interface Model {
  readonly product: string;
  readonly userIds: readonly string[];
  live(nowMs: number): readonly Session[];
  start(session: Session, limit: TagLimit | undefined, creation: Creation, nowMs: number): void;
  refresh(session: Session, next: Session, outcome: 'replaced' | 'stale', nowMs: number): void;
  remove(session: Session, removed: boolean, nowMs: number): void;
  removeUser(user: UserRef & { tag?: string | undefined }, nowMs: number): number;
  erase(user: UserRef, nowMs: number): boolean;
  activity(tag: string | undefined, nowMs: number): Activity;
  user(userId: string, tag: string | undefined, nowMs: number): User | undefined;
}

const isLive = ({ session, endedAtMs }: Life, nowMs: number): boolean =>
  endedAtMs === undefined && nowMs < session.expiresAtMs;

const endOf = ({ session, endedAtMs }: Life): number => endedAtMs ?? session.expiresAtMs;

/** Monday, 00:00 UTC of the week of a moment. */
function weekOf(nowMs: number): number {
  const day = new Date(nowMs);
  const sinceMonday = (day.getUTCDay() + 6) % 7;
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate() - sinceMonday);
}

export function createModel(product: string): Model {
  const ada = { product, env: 'prd', userId: 'ada' };
  const userIds = ['ada', bucketMate(ada, 'bob_'), 'cy'];
  let sights: Sight[] = [];
  const lives: Life[] = [];

  /** What is known of a user in one part: the sights since it was last forgotten. */
  function known(userId: string, tag: string | undefined, nowMs: number) {
    const all = sights
      .filter(({ life }) => life.session.userId === userId)
      .filter(({ life }) => tag === undefined || life.session.tag === tag)
      .sort((a, b) => a.atMs - b.atMs);
    let since: Sight[] = [];
    let keptUntil = Number.NEGATIVE_INFINITY;
    for (const sight of all) {
      if (since.length > 0 && sight.atMs >= keptUntil) since = [];
      since.push(sight);
      keptUntil = Math.max(...since.map(({ life }) => endOf(life))) + RETENTION_MS;
    }
    return since.length > 0 && nowMs < keptUntil ? since : undefined;
  }

  const livesOf = (since: readonly Sight[]): readonly Life[] => [
    ...new Set(since.map(({ life }) => life)),
  ];
  const find = (session: Session): Life | undefined =>
    lives.find((life) => life.session.sessionId === session.sessionId);

  function user(userId: string, tag: string | undefined, nowMs: number): User | undefined {
    const since = known(userId, tag, nowMs);
    if (since === undefined) return undefined;
    const own = livesOf(since);
    return {
      userId,
      firstSeenAtMs: Math.min(...since.map(({ atMs }) => atMs)),
      lastSeenAtMs: Math.max(...since.map(({ atMs }) => atMs)),
      totalSessions: own.length,
      activeSessions: own.filter((life) => isLive(life, nowMs)).length,
    };
  }

  return {
    product,
    userIds,
    user,
    live: (nowMs) => lives.filter((life) => isLive(life, nowMs)).map(({ session }) => session),
    start(session, _limit, creation, nowMs) {
      for (const id of creation.evicted) {
        const life = lives.find((each) => each.session.sessionId === id);
        if (life) life.endedAtMs = nowMs;
      }
      if (creation.outcome !== 'created') return;
      const life = { session };
      lives.push(life);
      sights.push({ life, atMs: nowMs });
    },
    refresh(session, next, outcome, nowMs) {
      const life = find(session);
      if (outcome !== 'replaced' || life === undefined) return;
      life.session = next;
      sights.push({ life, atMs: nowMs });
    },
    remove(session, removed, nowMs) {
      const life = find(session);
      if (removed && life) life.endedAtMs = nowMs;
    },
    removeUser({ userId, tag }, nowMs) {
      const ending = lives.filter(
        (life) =>
          isLive(life, nowMs) &&
          life.session.userId === userId &&
          (tag === undefined || life.session.tag === tag),
      );
      for (const life of ending) life.endedAtMs = nowMs;
      return ending.length;
    },
    erase({ userId }, nowMs) {
      const own = lives.filter(({ session }) => session.userId === userId);
      if (own.some((life) => isLive(life, nowMs))) return false;
      sights = sights.filter(({ life }) => life.session.userId !== userId);
      return true;
    },
    activity(tag, nowMs) {
      const users = userIds.flatMap((userId) => {
        const since = known(userId, tag, nowMs);
        const view = user(userId, tag, nowMs);
        return since && view ? [{ since, view }] : [];
      });
      const gone = users.filter(({ view }) => view.activeSessions === 0);
      const left = gone.filter(({ since }) => {
        const own = livesOf(since);
        const ended = Math.max(...own.map((life) => life.endedAtMs ?? Number.NEGATIVE_INFINITY));
        const ranOut = Math.max(
          ...own.map((life) =>
            life.endedAtMs === undefined ? life.session.expiresAtMs : Number.NEGATIVE_INFINITY,
          ),
        );
        return ended >= ranOut;
      });
      const newSince = (ms: number) => users.filter(({ view }) => view.firstSeenAtMs >= ms).length;
      return {
        activeUsers: users.length - gone.length,
        inactiveUsers: left.length,
        expiredUsers: gone.length - left.length,
        newUsersToday: newSince(nowMs - (nowMs % DAY_MS)),
        newUsersThisWeek: newSince(weekOf(nowMs)),
        totalSessions: users.reduce((sum, { view }) => sum + view.totalSessions, 0),
        activeSessions: users.reduce((sum, { view }) => sum + view.activeSessions, 0),
      };
    },
  };
}

const LIVES_MS = [1000, 60_000, 3_600_000, DAY_MS, 40 * DAY_MS];

/** What happens next, by chance: `random` answers numbers from 0 up to 1. */
export function randomStep(model: Model, nowMs: number, random: () => number): Step {
  const { product } = model;
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const user = { product, env: 'prd', userId: pick(model.userIds) };
  const session = pick(model.live(nowMs));
  const chance = random();
  if (chance < 0.15)
    return { do: 'wait', ms: pick([1, 999, 30_000, 3_600_000, DAY_MS, 9 * DAY_MS]) };
  if (chance < 0.17) return { do: 'wait', ms: RETENTION_MS };
  if (chance < 0.22) return { do: 'erase', user };
  if (chance < 0.28)
    return { do: 'removeUser', user: { ...user, tag: pick([undefined, 'a', 'b']) } };
  if (session && chance < 0.45) return { do: 'remove', session };
  if (session && chance < 0.7) return { do: 'refresh', session, lifeMs: pick(LIVES_MS) };
  const underTag = pick([
    undefined,
    undefined,
    { most: 2, onLimit: 'evict_oldest' as const },
    { most: 2, onLimit: 'reject' as const },
  ]);
  return {
    do: 'start',
    over: { ...user, tag: pick(['a', 'b']), expiresAtMs: nowMs + pick(LIVES_MS) },
    underTag,
  };
}
