// Owns the contract of the limit that a session type sets on the sessions of a user.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { type Answer, call, expectProblem, faultyFields, START, verify } from './api.ts';

let service: TestApp;
beforeAll(async () => {
  service = await createTestApp();
});
afterAll(() => service.app.close());

const limit = async (tag: string, onLimit: string, maxSessionsPerUser = 5) => {
  const body = { maxSessionsPerUser, onLimit };
  const answer = await call(service.app, 'PUT', `/session-types/my-app/${tag}`, { body });
  expect([200, 201]).toContain(answer.statusCode);
};
const start = (tag: string, headers: Record<string, string> = {}): Promise<Answer> =>
  call(service.app, 'POST', '/sessions', { body: { ...START, tag }, headers });
const live = async (tag: string): Promise<readonly string[]> => {
  const answer = await call(service.app, 'GET', `/sessions/my-app/prd/${tag}?userId=user_123`);
  return answer.json().sessions.map(({ sessionId }: { sessionId: string }) => sessionId);
};

describe('a user at the limit of a tag', () => {
  it('gets no further session where the type rejects, and one again when another has ended', async () => {
    await limit('rejecting', 'reject');
    const answers = await Promise.all(Array.from({ length: 50 }, () => start('rejecting')));
    expect(answers.filter(({ statusCode }) => statusCode === 201)).toHaveLength(5);
    for (const answer of answers.filter(({ statusCode }) => statusCode !== 201)) {
      expectProblem(answer, 'session_limit_reached');
    }
    const [newest] = await live('rejecting');
    await call(service.app, 'DELETE', `/sessions/my-app/prd/rejecting/${newest}`);
    expect((await start('rejecting')).statusCode).toBe(201);
    expectProblem(await start('rejecting'), 'session_limit_reached');
  });

  it('is refused where the type does not say what to do', async () => {
    const body = { maxSessionsPerUser: 1 };
    await call(service.app, 'PUT', '/session-types/my-app/plain', { body });
    expect((await start('plain')).statusCode).toBe(201);
    expectProblem(await start('plain'), 'session_limit_reached');
  });

  it('loses the oldest where the type evicts: 50 at once leave exactly 5, and each answer names whom it ended', async () => {
    await limit('evicting', 'evict_oldest');
    const answers = await Promise.all(Array.from({ length: 50 }, () => start('evicting')));
    const pairs = answers.map((answer) => answer.json());
    const alive = await live('evicting');
    expect(alive).toHaveLength(5);
    const evicted = pairs.flatMap((pair) => pair.evicted ?? []);
    expect([...evicted, ...alive].sort()).toEqual(pairs.map(({ sessionId }) => sessionId).sort());
    for (const { sessionId, token } of pairs) {
      expect(await verify(service.app, token)).toMatchObject(
        alive.includes(sessionId) ? { valid: true } : { valid: false, reason: 'ended' },
      );
    }
    expect(service.events.filter(({ name }) => name === 'session_evicted')).toHaveLength(45);
  });

  it('is named the same evicted sessions when a start is sent again under its key', async () => {
    await limit('again', 'evict_oldest', 1);
    const first = (await start('again')).json();
    const headers = { 'idempotency-key': 'again-1' };
    const second = (await start('again', headers)).json();
    expect(second.evicted).toEqual([first.sessionId]);
    expect((await start('again', headers)).json().evicted).toEqual([first.sessionId]);
    expect(await live('again')).toEqual([second.sessionId]);
  });
});

describe('details of a tag with a schema', () => {
  it('are judged by it when they are changed too', async () => {
    const detailsSchema = { type: 'object', properties: { plan: { type: 'string' } } };
    const body = { detailsSchema };
    await call(service.app, 'PUT', '/session-types/my-app/judged', { body });
    const { sessionId } = (await start('judged')).json();
    const answer = await call(service.app, 'PATCH', `/sessions/my-app/prd/judged/${sessionId}`, {
      body: { data: { details: { plan: 5 } } },
    });
    expect(faultyFields(answer)).toEqual(['/data/details/plan']);
  });
});
