// Owns the edges of the operations that no request reaches by itself: contention, broken generators, broken keys, time running out.

import { setTimeout as sleep } from 'node:timers/promises';
import type { CryptoKey } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { readAccessToken, signAccessToken } from '../../src/sessions/access-token.ts';
import { systemClock, systemRandom } from '../../src/sessions/ambient.ts';
import { withDeadline } from '../../src/sessions/deadline.ts';
import { Outage } from '../../src/sessions/errors.ts';
import { sealRefreshToken } from '../../src/sessions/refresh-token.ts';
import { covers } from '../../src/sessions/scope.ts';
import { createSealer } from '../../src/sessions/sealing.ts';
import type { Session } from '../../src/sessions/session.ts';
import { createSessionIds, parseSessionId, userDigest } from '../../src/sessions/session-id.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import { sessionVersion } from '../../src/sessions/session-version.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS, sampleSession } from '../support/sessions.ts';
import { createManualClock, createTestApp, SECRET } from '../support/test-app.ts';

const START = { product: 'p', env: 'e', tag: 't', userId: 'u', details: {}, clientId: 'root' };

async function appOn(change: Partial<SessionStore>) {
  const clock = createManualClock();
  const memory = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 100,
    userRetentionMs: RETENTION_MS,
  });
  return createTestApp({ clock, store: { ...memory, ...change } });
}

describe('an operation', () => {
  it('that loses every race is an outage after a bounded number of rounds', async () => {
    const replace = vi.fn(async () => 'stale' as const);
    const { sessions } = await appOn({ replace });
    const { refreshToken } = await sessions.start(START);
    await expect(sessions.refresh({}, { refreshToken })).rejects.toThrow(Outage);
    expect(replace.mock.calls.length).toBeLessThanOrEqual(10);
  });

  it('on details that loses every race is an outage after a bounded number of rounds', async () => {
    const replace = vi.fn(async () => 'stale' as const);
    const { sessions } = await appOn({ replace });
    const { session } = await sessions.start(START);
    await expect(sessions.changeDetails(session, { patch: { a: 1 } })).rejects.toThrow(Outage);
    expect(replace.mock.calls.length).toBeLessThanOrEqual(10);
  });

  it('that erases a user who keeps coming back is an outage after a bounded number of rounds', async () => {
    const eraseUser = vi.fn(async () => false);
    const { sessions } = await appOn({ eraseUser });
    await expect(sessions.eraseUser(START)).rejects.toThrow(Outage);
    expect(eraseUser.mock.calls.length).toBeLessThanOrEqual(10);
  });

  it('that draws a taken session id is a defect and never shares a session', async () => {
    const { sessions } = await appOn({ create: async () => ({ outcome: 'taken', evicted: [] }) });
    await expect(sessions.start(START)).rejects.toThrow('taken');
  });

  it('that the store does not answer is an outage in time, and the late failure harms nobody', async () => {
    vi.useFakeTimers();
    const late = new Promise<never>((_resolve, reject) =>
      setTimeout(reject, 5000, new Error('late')),
    );
    const outcome = expect(withDeadline(late, 1000, 'read')).rejects.toThrow(
      new Outage('read: no answer in 1000 ms'),
    );
    await vi.advanceTimersByTimeAsync(1000);
    await outcome;
    await vi.advanceTimersByTimeAsync(5000);
    vi.useRealTimers();
  });

  it('that finds its session gone between reading and removing still succeeds, without an event', async () => {
    const { sessions, events } = await appOn({ remove: async () => false });
    const { token } = await sessions.start(START);
    await sessions.revokeByToken({}, token);
    expect(events.map(({ name }) => name)).not.toContain('session_revoked');
  });
});

describe('a start', () => {
  it('has the time of the store even right after its clock has jumped', async () => {
    let jumpMs = 0;
    const clock = createManualClock();
    const nowMs = () => clock.wallMs() + jumpMs;
    const store = createMemoryStore({ nowMs, maxSessions: 100, userRetentionMs: RETENTION_MS });
    const { sessions } = await createTestApp({ clock, store });
    for (const hourMs of [3_600_000, -3_600_000]) {
      jumpMs = hourMs;
      const { token, session } = await sessions.start(START);
      expect(session.createdAtMs).toBe(nowMs());
      expect(await sessions.verify({}, { token })).toMatchObject({ valid: true });
    }
  });

  it('is an outage while the clock of the store does not stand still', async () => {
    const { sessions } = await appOn({
      create: async () => ({ outcome: 'skewed', evicted: [], nowMs: 1 }),
    });
    await expect(sessions.start(START)).rejects.toThrow(Outage);
  });
});

describe('a refresh that did not get through at once', () => {
  /** While a refresh at this instance waits, its holder is answered elsewhere, and goes on from there. */
  async function overtaken(
    change: (store: SessionStore, meanwhile: () => Promise<unknown>) => Partial<SessionStore>,
  ) {
    const clock = createManualClock();
    const store = createMemoryStore({
      nowMs: clock.wallMs,
      maxSessions: 100,
      userRetentionMs: RETENTION_MS,
    });
    const elsewhere = await createTestApp({ clock, store });
    const { refreshToken } = await elsewhere.sessions.start(START);
    let successor = '';
    const meanwhile = async () => {
      const next = await elsewhere.sessions.refresh({}, { refreshToken });
      successor = (await elsewhere.sessions.refresh({}, { refreshToken: next.refreshToken })).token;
    };
    const here = await createTestApp({ clock, store: { ...store, ...change(store, meanwhile) } });
    await expect(here.sessions.refresh({}, { refreshToken })).rejects.toThrow(Outage);
    return {
      elsewhere,
      events: here.events,
      verdict: () => elsewhere.sessions.verify({}, { token: successor }),
    };
  }

  it('takes nobody for a thief who was answered elsewhere and went on', async () => {
    const { verdict, events } = await overtaken((_store, meanwhile) => ({
      replace: async () => {
        await meanwhile();
        return 'stale';
      },
    }));
    expect(await verdict()).toMatchObject({ valid: true });
    expect(events.map(({ name }) => name)).not.toContain('session_refresh_reused');
  });

  it('ends no session after it was answered 503', async () => {
    let looked: Promise<void> | undefined;
    const { verdict, events } = await overtaken((store, meanwhile) => ({
      read: (locator) => {
        const late = sleep(1400).then(async () => {
          await meanwhile();
          return store.read(locator);
        });
        looked = late.then(() => undefined);
        return late;
      },
    }));
    await looked;
    await sleep(10);
    expect(await verdict()).toMatchObject({ valid: true });
    expect(events.map(({ name }) => name)).not.toContain('session_refresh_reused');
  });
});

describe('what one primary said and the next sees otherwise', () => {
  const memoryStore = () =>
    createMemoryStore({ nowMs: () => 1_795_000_000_000, maxSessions: 100, userRetentionMs: 1 });

  /** The session is lost by a failover at the moment at which it is to be confirmed, if `armed`. */
  async function losing() {
    const store = memoryStore();
    const fault = { armed: false };
    const app = await createTestApp({
      store: {
        ...store,
        async confirm(locator) {
          if (!fault.armed) return true;
          const { session } = await store.read(locator);
          await store.remove(session as Session);
          return false;
        },
      },
    });
    return { ...app, fault };
  }
  const ended = { refused: { code: 'invalid_refresh_token', reason: 'ended' } };

  it('gives nobody the successor in a session that is gone', async () => {
    const { sessions, fault } = await losing();
    const { refreshToken } = await sessions.start(START);
    fault.armed = true;
    await expect(sessions.refresh({}, { refreshToken })).rejects.toMatchObject(ended);
  });

  it('gives nobody the same successor again in a session that is gone', async () => {
    const { sessions, fault } = await losing();
    const { refreshToken } = await sessions.start(START);
    await sessions.refresh({}, { refreshToken });
    fault.armed = true;
    await expect(sessions.refresh({}, { refreshToken })).rejects.toMatchObject(ended);
  });

  it('is no acknowledged revocation: what has come back is ended by the next', async () => {
    const store = memoryStore();
    const app = await createTestApp({
      store: {
        ...store,
        async confirm(locator, found) {
          expect([locator, found]).toEqual([session, undefined]);
          await store.create(session, { perUser: 10 });
          return false;
        },
      },
    });
    const { session, token } = await app.sessions.start(START);
    await store.remove(session);
    await expect(app.sessions.revoke(session)).rejects.toThrow(Outage);
    expect(await app.sessions.verify({}, { token })).toMatchObject({ valid: true });
    await app.sessions.revoke(session);
    expect(await app.sessions.verify({}, { token })).toEqual({ valid: false, reason: 'ended' });
  });
});

describe('a change of details', () => {
  it('that may have been made itself is never told that somebody else was faster', async () => {
    const clock = createManualClock();
    const store = createMemoryStore({
      nowMs: clock.wallMs,
      maxSessions: 100,
      userRetentionMs: RETENTION_MS,
    });
    let lost = false;
    const { sessions } = await createTestApp({
      clock,
      store: {
        ...store,
        async replace(...change) {
          if (lost) return store.replace(...change);
          lost = true;
          // It was made, its reply was lost, and by the time it is sent again the session has moved on.
          await store.replace(...change);
          return 'stale';
        },
      },
    });
    const { session } = await sessions.start(START);
    const change = { patch: { a: 1 }, ifMatch: [sessionVersion(session)] };
    await expect(sessions.changeDetails(session, change)).rejects.toThrow(Outage);
    await expect(sessions.changeDetails(session, change)).rejects.toThrow('precondition_failed');
    expect((await sessions.read(session)).details).toEqual({ a: 1 });
  });
});

describe('a start under an idempotency key', () => {
  const ONCE = { ...START, key: 'k' };

  it('is an outage while its claim changes under every attempt', async () => {
    const { sessions } = await appOn({
      replaceClaim: async () => false,
      forbid: async () => false,
    });
    const first = await sessions.startOnce(ONCE);
    expect(first.session.generation).toBe(0);
    const lost = await appOn({
      claim: async (_name, text) => ({ text, mine: true }),
      replaceClaim: async () => false,
      pause: async () => undefined,
    } as Partial<SessionStore>);
    await expect(lost.sessions.startOnce(ONCE)).rejects.toThrow(Outage);
  });

  it('frees its key when the clock of the store does not stand still', async () => {
    const create = vi.fn(async () => ({ outcome: 'skewed' as const, evicted: [], nowMs: 1 }));
    const { sessions, store } = await appOn({ create });
    await expect(sessions.startOnce(ONCE)).rejects.toThrow('clock');
    const { mine } = await store.claim('any', 'x', 1000);
    expect(mine).toBe(true);
    await expect(sessions.startOnce(ONCE)).rejects.toThrow('clock');
    expect(create).toHaveBeenCalledTimes(4);
  });

  it('takes the session that appears at the last moment, when it can no longer be forbidden', async () => {
    let appear = async (): Promise<unknown> => undefined;
    const { sessions, store } = await appOn({
      forbid: async () => {
        await appear();
        return false;
      },
    });
    const claimed = vi.spyOn(store, 'claim');
    const broken = vi.spyOn(store, 'create').mockRejectedValueOnce(new Outage('lost'));
    await expect(sessions.startOnce(ONCE)).rejects.toThrow('lost');
    const [session, limits] = broken.mock.calls[0] as Parameters<SessionStore['create']>;
    appear = () => store.create(session, limits);
    const pair = await sessions.startOnce(ONCE);
    expect(pair.session.sessionId).toBe(session.sessionId);
    expect(claimed).toHaveBeenCalled();
  });

  it('leaves each who has taken over from a dead one the time to start', async () => {
    const forbidden: string[] = [];
    const announced = ['dead', 'alive'].map(() => sampleSession(START).sessionId);
    let looks = 0;
    const app = await appOn({
      async claim(_name, text) {
        const sessionId = announced[forbidden.length] ?? '';
        if (forbidden.length > 0 && ++looks === 5) {
          await app.store.create(sampleSession({ ...START, sessionId }), { perUser: 10 });
        }
        return { text: JSON.stringify({ ...JSON.parse(text), sessionId }), mine: false };
      },
      async forbid({ sessionId }) {
        forbidden.push(sessionId);
        return true;
      },
    });
    const pair = await app.sessions.startOnce(ONCE);
    expect(pair.session.sessionId).toBe(announced[1]);
    expect(forbidden).toEqual([announced[0]]);
  });
});

describe('a refresh token sealed by us', () => {
  it("whose proof is not the session's own is invalid and ends nothing", async () => {
    const { sessions } = await createTestApp();
    const { session, token } = await sessions.start(START);
    const sealer = createSealer([SECRET], 'refresh-token', systemRandom);
    const forged = await sealRefreshToken(sealer, session, 'p'.repeat(22));
    const invalid = { refused: { code: 'invalid_refresh_token', reason: 'invalid' } };
    await expect(sessions.refresh({}, { refreshToken: forged })).rejects.toMatchObject(invalid);
    await expect(sessions.revokeByRefreshToken({}, forged)).rejects.toMatchObject(invalid);
    expect(await sessions.verify({}, { token })).toMatchObject({ valid: true });
  });

  it('is refused as ended in the last second before the absolute limit', async () => {
    const { sessions, clock } = await createTestApp({
      policy: { tokenTtlSeconds: 10, idleTtlSeconds: 10, absoluteTtlSeconds: 10 },
      clock: createManualClock(1_795_000_000_500),
    });
    const { refreshToken } = await sessions.start(START);
    clock.advance(9_900);
    await expect(sessions.refresh({}, { refreshToken })).rejects.toMatchObject({
      refused: { reason: 'ended' },
    });
  });
});

describe('a token', () => {
  it('is not judged by a broken key: that is a defect, not a bad token', async () => {
    const { keys } = await createTestApp();
    const token = await signAccessToken(sampleSession(), 'jti', await keys.current(), 'iss');
    const { kid, alg } = await keys.current();
    const broken = { ...keys, find: async () => ({ kid, alg, publicKey: {} as CryptoKey }) };
    await expect(readAccessToken(token, broken, 'iss')).rejects.toThrow(TypeError);
  });

  it('says its product, environment and tag in its audience too, or it is none of ours', async () => {
    const { keys } = await createTestApp();
    const crafted = sampleSession({ tag: 'user-session' });
    const token = await signAccessToken(crafted, 'jti', await keys.current(), 'iss');
    expect(await readAccessToken(token, keys, 'iss')).toMatchObject({ tag: 'user-session' });
    expect(await readAccessToken(token, keys, 'another issuer')).toBeUndefined();
  });
});

describe('the digest of a user', () => {
  it('is of its product and environment too, whoever was asked for before', () => {
    const user = { product: 'p', env: 'e', userId: 'u' };
    const all = [user, { ...user, product: 'q' }, { ...user, env: 'f' }, { ...user, userId: 'v' }];
    const digests = all.map(userDigest);
    expect(new Set(digests).size).toBe(all.length);
    expect([...all].reverse().map(userDigest)).toEqual([...digests].reverse());
  });
});

describe('session ids', () => {
  it('of one user sort by age, even when the clock stands still or goes back', () => {
    const newSessionId = createSessionIds(systemRandom);
    const user = { product: 'p', env: 'e', userId: 'u' };
    const ids = [5000, 5000, 5001, 4000, 5001].map((ms) => newSessionId(user, ms));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids.map((id) => parseSessionId(id)?.bucket)).size).toBe(1);
  });

  it.each(['', 'zz', '../x', `${'0'.repeat(34)}`, `${'0'.repeat(36)}`])('%j is none', (text) => {
    expect(parseSessionId(text)).toBeUndefined();
  });
});

it.each([
  [{}, true],
  [{ product: 'p' }, true],
  [{ product: 'p', env: 'e' }, true],
  [{ env: 'x' }, false],
  [{ product: 'P' }, false],
  [{ product: 'p', env: 'E' }, false],
])('a scope of %j covers p/e: %s', (scope, expected) => {
  expect(covers(scope, { product: 'p', env: 'e' })).toBe(expected);
});

it('the clocks of the machine run', () => {
  expect(systemClock.monotonicMs()).toBeGreaterThan(0);
  expect(systemClock.wallMs()).toBeGreaterThan(1_700_000_000_000);
});
