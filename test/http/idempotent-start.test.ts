// Owns the proof of the Idempotency-Key: one session for each key, whatever is lost, sent twice or sent at once.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import type { Locator, Session } from '../../src/sessions/session.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';
import {
  type Answer,
  addressOf,
  call,
  expectProblem,
  faultyFields,
  listed,
  type Pair,
  refresh,
  START,
  verify,
} from './api.ts';

let service: TestApp;
let other: TestApp;
/** Changes what the store does, once for each entry. */
let faults: Partial<SessionStore>[] = [];

const OTHER_KEY = 'other-key';
beforeAll(async () => {
  const clock = createManualClock();
  const memory = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 10_000,
    userRetentionMs: RETENTION_MS,
  });
  const store = new Proxy(memory, {
    get: (target, name: keyof SessionStore) => {
      const at = faults.findIndex((fault) => name in fault);
      return at < 0 ? target[name] : faults.splice(at, 1)[0]?.[name];
    },
  });
  const permissions = new Set(['issue'] as const);
  const callers = [{ key: OTHER_KEY, caller: { id: 'other', permissions, scope: {} } }];
  service = await createTestApp({ clock, store, callers });
  other = await createTestApp({ clock, store, callers });
});
afterAll(() => Promise.all([service.app.close(), other.app.close()]));

let users = 0;
const bodyOf = (userId: string) => ({ ...START, data: { ...START.data, userId } });
const newUser = () => `once_${users++}`;
const startOnce = (key: string, body: unknown, at = service, as?: string): Promise<Answer> =>
  call(at.app, 'POST', '/sessions', {
    body,
    headers: { 'idempotency-key': key },
    ...(as === undefined ? {} : { key: as }),
  });
const claims = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const sessionsOf = async (userId: string) =>
  (await listed(service.app)).filter(({ data }) => data.userId === userId);

describe('a start under an idempotency key', () => {
  it('gives the same session and token identity again, at any instance', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    const first = await startOnce(key, bodyOf(userId));
    service.clock.advance(60_000);
    const again = await startOnce(key, bodyOf(userId), other);
    expect([first.statusCode, again.statusCode]).toEqual([201, 201]);
    expect(claims(again.json<Pair>().token)).toEqual(claims(first.json<Pair>().token));
    expect({ ...again.json(), token: '', refreshToken: '' }).toEqual({
      ...first.json(),
      token: '',
      refreshToken: '',
    });
    expect(await verify(service.app, again.json<Pair>().token)).toMatchObject({ valid: true });
    expect(await sessionsOf(userId)).toHaveLength(1);
    expect((await refresh(service.app, again.json<Pair>().refreshToken)).statusCode).toBe(200);
  });

  it('gives one session to 50 that are sent at once to two instances, ten times', async () => {
    for (let round = 0; round < 10; round++) {
      const [key, userId] = [randomUUID(), newUser()];
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          startOnce(key, bodyOf(userId), i % 2 ? service : other),
        ),
      );
      expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([201]));
      expect(new Set(answers.map((answer) => claims(answer.json<Pair>().token).jti)).size).toBe(1);
      expect(await sessionsOf(userId)).toHaveLength(1);
    }
  });

  it('is refused with another body, another user included, and starts nothing', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    await startOnce(key, bodyOf(userId));
    const stranger = newUser();
    for (const body of [
      bodyOf(stranger),
      { ...bodyOf(userId), tag: 'other' },
      { ...bodyOf(userId), data: { userId } },
      { ...bodyOf(userId), client: { ip: '203.0.113.7' } },
    ]) {
      expectProblem(await startOnce(key, body), 'idempotency_key_reused');
    }
    expect(await sessionsOf(stranger)).toEqual([]);
  });

  it('is not mixed up with the same key of another caller', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    await startOnce(key, bodyOf(userId));
    expect((await startOnce(key, bodyOf(newUser()), service, OTHER_KEY)).statusCode).toBe(201);
  });

  it.each([
    ['was refreshed', async ({ refreshToken }: Pair) => refresh(service.app, refreshToken)],
    ['has ended', async ({ sessionId }: Pair) => call(service.app, 'DELETE', addressOf(sessionId))],
    ['has an expired token', async () => service.clock.advance(900_000)],
  ])(
    'is refused once its session %s: no dead token, and nothing comes back to life',
    async (_what, happens) => {
      const [key, userId] = [randomUUID(), newUser()];
      const first = (await startOnce(key, bodyOf(userId))).json<Pair>();
      await happens(first);
      const before = await sessionsOf(userId);
      expectProblem(await startOnce(key, bodyOf(userId)), 'idempotency_key_expired');
      expect(await sessionsOf(userId)).toEqual(before);
    },
  );

  it('is a new one after 24 hours', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    await startOnce(key, bodyOf(userId));
    service.clock.advance(24 * 3_600_000 - 1);
    expectProblem(await startOnce(key, bodyOf(userId)), 'idempotency_key_expired');
    service.clock.advance(1);
    expect((await startOnce(key, bodyOf(userId))).statusCode).toBe(201);
  });

  it('lives as long as the first token, if that is longer than a day', async () => {
    const typed = await createTestApp({ policy: { tokenTtlSeconds: 200_000 } });
    const [key, userId] = [randomUUID(), newUser()];
    const first = await startOnce(key, bodyOf(userId), typed);
    typed.clock.advance(199_000_000);
    const again = await startOnce(key, bodyOf(userId), typed);
    expect(again.json<Pair>().sessionId).toBe(first.json<Pair>().sessionId);
    typed.clock.advance(1_000_000);
    expectProblem(await startOnce(key, bodyOf(userId), typed), 'idempotency_key_expired');
    await typed.app.close();
  });

  it('is the same with quotes and without, and whatever the order of members in details', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    const body = (details: object) => ({ ...START, data: { userId, details } });
    const first = await startOnce(key, body({ a: 1, b: { c: 2, d: 3 } }));
    const again = await startOnce(`"${key}"`, body({ b: { d: 3, c: 2 }, a: 1 }));
    expect(again.json<Pair>().sessionId).toBe(first.json<Pair>().sessionId);
  });

  it.each([
    ['details that break the schema of its type', { detailsSchema: { required: ['role'] } }],
    ['claims that are too large for a token', { claims: ['long'] }],
  ])('leaves nothing behind when refused for %s, ten at once', async (_why, type) => {
    const typed = await createTestApp({});
    await typed.types.put(START.product, START.tag, type, {});
    const [key, userId] = [randomUUID(), newUser()];
    const bad = { ...START, data: { userId, details: { long: 'x'.repeat(2000) } } };
    const writes = vi.spyOn(typed.store, 'claim');
    const answers = await Promise.all(Array.from({ length: 10 }, () => startOnce(key, bad, typed)));
    for (const answer of answers) expectProblem(answer, 'invalid_request');
    expect(writes).not.toHaveBeenCalled();
    const mended = { ...START, data: { userId, details: { role: 'user' } } };
    expect((await startOnce(key, mended, typed)).statusCode).toBe(201);
    await typed.app.close();
  });

  it('leaves nothing behind when its tag has no type and needs one', async () => {
    const typed = await createTestApp({ requireTypes: true });
    const [key, userId] = [randomUUID(), newUser()];
    expectProblem(await startOnce(key, bodyOf(userId), typed), 'invalid_request');
    await typed.types.put(START.product, START.tag, {}, {});
    const other = { ...bodyOf(userId), client: { device: 'phone' } };
    expect((await startOnce(key, other, typed)).statusCode).toBe(201);
    await typed.app.close();
  });

  it('is answered again although its type would refuse the start by now', async () => {
    const typed = await createTestApp({});
    const [key, userId] = [randomUUID(), newUser()];
    const first = await startOnce(key, bodyOf(userId), typed);
    await typed.types.put(START.product, START.tag, { detailsSchema: { required: ['role'] } }, {});
    const again = await startOnce(key, bodyOf(userId), typed);
    expect(again.json<Pair>().sessionId).toBe(first.json<Pair>().sessionId);
    expectProblem(await startOnce(key, bodyOf(newUser()), typed), 'idempotency_key_reused');
    await typed.app.close();
  });

  it('is refused in time, one and all, when 50 at once meet the limit of a user', async () => {
    const typed = await createTestApp({ maxSessionsPerUser: 1 });
    const [key, userId] = [randomUUID(), newUser()];
    await startOnce(randomUUID(), bodyOf(userId), typed);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => startOnce(key, bodyOf(userId), typed)),
    );
    for (const answer of answers) expectProblem(answer, 'session_limit_reached');
    await typed.app.close();
  });

  it('is not spent by a start that was refused', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    faults = [{ create: async () => ({ outcome: 'limit_reached', evicted: [] }) }];
    expectProblem(await startOnce(key, bodyOf(userId)), 'session_limit_reached');
    expect((await startOnce(key, bodyOf(userId))).statusCode).toBe(201);
  });

  const outage = async () => {
    throw new Outage('the process died here');
  };
  it.each([
    ['before the session was written', () => [{ create: outage }]],
    ['before it was marked', () => [{ replaceClaim: outage }]],
    [
      'after the session was written unseen',
      () => [
        {
          create: async (...start: Parameters<SessionStore['create']>) => {
            await service.store.create(...start);
            throw new Outage('the answer was lost');
          },
        },
      ],
    ],
  ] as const)(
    'leaves one session when it broke off %s and is sent again',
    async (_where, broken) => {
      const [key, userId] = [randomUUID(), newUser()];
      faults = [...broken()] as Partial<SessionStore>[];
      expectProblem(await startOnce(key, bodyOf(userId)), 'store_unavailable');
      const again = await startOnce(key, bodyOf(userId), other);
      expect(again.statusCode).toBe(201);
      expect((await sessionsOf(userId)).map(({ sessionId }) => sessionId)).toEqual([
        again.json<Pair>().sessionId,
      ]);
      expect((await startOnce(key, bodyOf(userId))).json<Pair>().sessionId).toBe(
        again.json<Pair>().sessionId,
      );
    },
  );

  it('is not spent by a session that was written, never acknowledged, and lost', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    faults = [{ replaceClaim: outage }];
    expectProblem(await startOnce(key, bodyOf(userId)), 'store_unavailable');
    faults = [{ confirm: outage }];
    expectProblem(await startOnce(key, bodyOf(userId)), 'store_unavailable');
    expect(faults).toEqual([]);

    const [{ sessionId } = { sessionId: '' }] = await sessionsOf(userId);
    const { session } = await service.store.read({ ...START, sessionId });
    await service.store.remove(session as Session);

    const again = await startOnce(key, bodyOf(userId));
    expect(again.statusCode).toBe(201);
    expect(await sessionsOf(userId)).toHaveLength(1);
  });

  /** The session is lost at the moment at which it is to be confirmed. */
  const losing = {
    async confirm(locator: Locator) {
      const { session } = await service.store.read(locator);
      await service.store.remove(session as Session);
      return false;
    },
  };

  it('whose session was never acknowledged and is lost under its eyes starts another', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    faults = [{ replaceClaim: outage }];
    expectProblem(await startOnce(key, bodyOf(userId)), 'store_unavailable');
    faults = [losing];
    const again = await startOnce(key, bodyOf(userId));
    expect(again.statusCode).toBe(201);
    expect(await sessionsOf(userId)).toMatchObject([{ sessionId: again.json<Pair>().sessionId }]);
  });

  it('whose session was acknowledged and is lost under its eyes is not answered with it', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    expect((await startOnce(key, bodyOf(userId))).statusCode).toBe(201);
    faults = [losing];
    expectProblem(await startOnce(key, bodyOf(userId)), 'idempotency_key_expired');
  });

  it('that was acknowledged is never taken for free while two primaries disagree about its session', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    const first = await startOnce(key, bodyOf(userId));
    // Read at the one, confirmed and forbidden at the other.
    faults = Array.from({ length: 100 }, () => [
      { confirm: async () => false },
      { forbid: async () => true },
    ]).flat();
    expectProblem(await startOnce(key, bodyOf(userId)), 'store_unavailable');
    expect(faults.filter((fault) => 'confirm' in fault).length).toBeLessThan(100 - 21);
    faults = [];
    const again = await startOnce(key, bodyOf(userId));
    expect(again.json<Pair>().sessionId).toBe(first.json<Pair>().sessionId);
  });

  it('that was acknowledged is an outage, not a refusal, while two primaries disagree and its type would refuse it', async () => {
    const confirms = { isSo: true };
    const clock = createManualClock();
    const store = createMemoryStore({
      nowMs: clock.wallMs,
      maxSessions: 10,
      userRetentionMs: RETENTION_MS,
    });
    const typed = await createTestApp({
      clock,
      store: { ...store, confirm: async () => confirms.isSo },
    });
    const [key, userId] = [randomUUID(), newUser()];
    await startOnce(key, bodyOf(userId), typed);
    await typed.types.put(START.product, START.tag, { detailsSchema: { required: ['role'] } }, {});
    confirms.isSo = false;
    expectProblem(await startOnce(key, bodyOf(userId), typed), 'store_unavailable');
    await typed.app.close();
  });

  it('that was overtaken while it stood still makes no second session', async () => {
    const [key, userId] = [randomUUID(), newUser()];
    let goOn = () => {};
    const stopped = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    faults = [
      {
        create: async (...start: Parameters<SessionStore['create']>) => {
          await stopped;
          return service.store.create(...start);
        },
      },
    ];
    const slow = startOnce(key, bodyOf(userId));
    await expect.poll(() => faults).toEqual([]);
    const fast = await startOnce(key, bodyOf(userId), other);
    goOn();
    expect((await slow).json<Pair>().sessionId).toBe(fast.json<Pair>().sessionId);
    expect(await sessionsOf(userId)).toHaveLength(1);
  });

  it.each(['', ' ', 'x'.repeat(256), 'ä', 'a b'])('is refused under the key %j', async (key) => {
    expect(faultyFields(await startOnce(key, bodyOf(newUser())))).toEqual([
      '/header/idempotency-key',
    ]);
  });
});

it('under a key, a tag whose type cannot be read is an outage', async () => {
  const down = () => Promise.reject(new Outage('read: test'));
  const typeStore = { ...createMemoryDocuments(1), readDocument: down };
  const apart = await createTestApp({ typeStore });
  const headers = { 'idempotency-key': randomUUID() };
  const answer = await call(apart.app, 'POST', '/sessions', { body: bodyOf('jane'), headers });
  expectProblem(answer, 'store_unavailable');
  await apart.app.close();
});
