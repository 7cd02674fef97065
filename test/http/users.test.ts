// Owns the contract of users and numbers.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import {
  call,
  expectProblem,
  faultyFields,
  type Pair,
  post,
  refresh,
  START,
  verify,
} from './api.ts';

let service: TestApp;
beforeAll(async () => {
  service = await createTestApp();
});
afterAll(() => service.app.close());

const DAY_MS = 24 * 3_600_000;
const at = (ms: number) => new Date(service.clock.wallMs() + ms).toISOString();
const startFor = async (product: string, userId: string, tag = START.tag): Promise<Pair> =>
  (await post(service.app, '/sessions', { ...START, product, tag, data: { userId } })).json();
const get = async (url: string) => {
  const answer = await call(service.app, 'GET', url);
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json();
};

describe('a user', () => {
  it('is shown with when it was seen, what it started and what lives of it, newest first', async () => {
    const firstSeenAt = at(0);
    const one = await startFor('shop', 'jane');
    service.clock.advance(1000);
    const two = await startFor('shop', 'jane', 'support-chat');
    const three = await startFor('shop', 'jane');
    await call(service.app, 'DELETE', `/sessions/shop/prd/user-session/${one.sessionId}`);
    service.clock.advance(1000);
    await refresh(service.app, three.refreshToken);
    const view = await get('/users/shop/prd/jane');
    expect(view).toMatchObject({
      userId: 'jane',
      firstSeenAt,
      lastSeenAt: at(0),
      activeSessions: 2,
      totalSessions: 3,
    });
    const ids = (sessions: readonly { sessionId: string }[]) =>
      sessions.map(({ sessionId }) => sessionId);
    expect(ids(view.sessions)).toEqual([three.sessionId, two.sessionId]);
    const chats = await get('/users/shop/prd/jane?tag=support-chat');
    expect(chats).toMatchObject({ activeSessions: 1, totalSessions: 1, lastSeenAt: at(-1000) });
    expect(ids(chats.sessions)).toEqual([two.sessionId]);
    const page = await get('/users/shop/prd/jane?limit=1');
    const rest = await get(`/users/shop/prd/jane?limit=1&cursor=${page.nextCursor}`);
    expect([...ids(page.sessions), ...ids(rest.sessions)]).toEqual(ids(view.sessions));
    expect(rest.nextCursor).toBeUndefined();
  });

  it('has cursors of its own: none opens the list of sessions, whatever the product is called', async () => {
    for (const userId of ['one', 'two']) await startFor('cursors', userId);
    const { nextCursor } = await get('/users/cursors/prd?limit=1');
    const list = '/sessions/users/cursors/prd';
    const answer = await call(service.app, 'GET', `${list}?cursor=${nextCursor}`);
    expect(faultyFields(answer)).toEqual(['/query/cursor']);
  });

  it('that was never seen is not found, whatever else exists', async () => {
    await startFor('shop', 'joe');
    for (const url of [
      '/users/shop/prd/nobody',
      '/users/shop/dev/joe',
      '/users/shop/prd/joe?tag=x',
    ]) {
      expectProblem(await call(service.app, 'GET', url), 'user_not_found');
    }
  });

  it('is remembered for its retention, and then forgotten', async () => {
    const { sessionId } = await startFor('shop', 'short');
    await call(service.app, 'DELETE', `/sessions/shop/prd/user-session/${sessionId}`);
    service.clock.advance(30 * DAY_MS - 1);
    expect(await get('/users/shop/prd/short')).toMatchObject({ activeSessions: 0, sessions: [] });
    service.clock.advance(1);
    expectProblem(await call(service.app, 'GET', '/users/shop/prd/short'), 'user_not_found');
  });

  it('is listed by page, under a cursor that opens in no other list', async () => {
    const ids = Array.from({ length: 5 }, (_, i) => `u${i}`);
    for (const userId of ids) await startFor('listed', userId);
    const page = await get('/users/listed/prd?limit=3');
    const rest = await get(`/users/listed/prd?limit=3&cursor=${page.nextCursor}`);
    const users = [...page.users, ...rest.users];
    expect(users.map(({ userId }) => userId).sort()).toEqual(ids);
    expect(users[0]).toEqual({
      userId: expect.any(String),
      firstSeenAt: at(0),
      lastSeenAt: at(0),
      activeSessions: 1,
    });
    for (const url of [
      '/users/listed/dev',
      '/users/listed/prd?tag=user-session',
      '/users/shop/prd',
      '/users/listed/prd/u0',
      '/sessions/listed/prd/user-session',
    ]) {
      const cursor = `${url.includes('?') ? '&' : '?'}cursor=${page.nextCursor}`;
      expect(faultyFields(await call(service.app, 'GET', `${url}${cursor}`))).toEqual([
        '/query/cursor',
      ]);
    }
  });

  it('is erased whole: sessions, tokens, record, numbers', async () => {
    const { token } = await startFor('erased', 'jane');
    await startFor('erased', 'jane', 'support-chat');
    await startFor('erased', 'joe');
    for (let i = 0; i < 2; i++) {
      expect((await call(service.app, 'DELETE', '/users/erased/prd/jane')).statusCode).toBe(204);
    }
    expect(await verify(service.app, token)).toEqual({ valid: false, reason: 'ended' });
    expectProblem(await call(service.app, 'GET', '/users/erased/prd/jane'), 'user_not_found');
    expect((await get('/users/erased/prd')).users).toHaveLength(1);
    expect(await get('/stats/erased/prd')).toMatchObject({ totalUsers: 1, totalSessions: 1 });
    expect(await get('/stats/erased/prd?tag=support-chat')).toMatchObject({
      totalUsers: 0,
      totalSessions: 0,
    });
  });
});

describe('the numbers', () => {
  it('say how users stand and what they started', async () => {
    const empty = {
      totalUsers: 0,
      activeUsers: 0,
      inactiveUsers: 0,
      expiredUsers: 0,
      newUsersToday: 0,
      newUsersThisWeek: 0,
      totalSessions: 0,
      activeSessions: 0,
      averageSessionsPerUser: 0,
    };
    expect(await get('/stats/counted/prd')).toEqual(empty);
    await startFor('counted', 'expired');
    service.clock.advance(8 * DAY_MS);
    const left = await startFor('counted', 'left');
    await call(service.app, 'DELETE', `/sessions/counted/prd/user-session/${left.sessionId}`);
    await startFor('counted', 'active');
    await startFor('counted', 'active', 'support-chat');
    expect(await get('/stats/counted/prd')).toEqual({
      totalUsers: 3,
      activeUsers: 1,
      inactiveUsers: 1,
      expiredUsers: 1,
      newUsersToday: 2,
      newUsersThisWeek: 2,
      totalSessions: 4,
      activeSessions: 2,
      averageSessionsPerUser: 4 / 3,
    });
    expect(await get('/stats/counted/prd?tag=support-chat')).toMatchObject({
      totalUsers: 1,
      activeUsers: 1,
      totalSessions: 1,
      averageSessionsPerUser: 1,
    });
    expect(await get('/stats/counted/dev')).toEqual(empty);
  });
});
