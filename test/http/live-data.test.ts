// Owns the proof of PATCH: the details of a live session change, and nothing else of it does.

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import {
  addressOf,
  call,
  expectProblem,
  faultyFields,
  refresh,
  START,
  start,
  verify,
} from './api.ts';

let service: TestApp;
beforeAll(async () => {
  service = await createTestApp({ detailsMaxBytes: 200 });
});
afterAll(() => service.app.close());

const PLACE = { product: START.product, env: START.env };
const change = (sessionId: string, details: unknown, headers: Record<string, string> = {}) =>
  call(service.app, 'PATCH', addressOf(sessionId), {
    body: { data: { details } },
    headers: { 'content-type': 'application/merge-patch+json', ...headers },
  });
const read = (sessionId: string) => call(service.app, 'GET', addressOf(sessionId));

describe('a change of details', () => {
  it('is a JSON Merge Patch: null removes, an object merges, the rest replaces', async () => {
    const { sessionId } = await start(service.app, {
      data: { ...START.data, details: { a: { b: 1, c: [1, 2] }, d: 'x', username: 'j' } },
    } as object);
    const answer = await change(sessionId, { a: { b: null, e: 2 }, d: [3], username: null });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().data.details).toEqual({ a: { c: [1, 2], e: 2 }, d: [3] });
    expect((await read(sessionId)).json()).toEqual(answer.json());
  });

  it('is seen by verify at once, and by what a refresh leaves', async () => {
    const { sessionId, token, refreshToken } = await start(service.app);
    await change(sessionId, { plan: 'pro' });
    expect(await verify(service.app, token)).toMatchObject({
      valid: true,
      data: { details: { username: 'johndoe', plan: 'pro' } },
    });
    expect((await refresh(service.app, refreshToken)).statusCode).toBe(200);
    expect((await read(sessionId)).json().data.details).toEqual({
      username: 'johndoe',
      plan: 'pro',
    });
  });

  it('moves no time, no count and no token of the session', async () => {
    const { sessionId, refreshToken } = await start(service.app);
    const before = (await read(sessionId)).json();
    service.clock.advance(5000);
    const after = (await change(sessionId, { plan: 'pro' })).json();
    expect({ ...after, data: before.data }).toEqual(before);
    expect((await refresh(service.app, refreshToken)).headers['session-refresh']).toBe('rotated');
  });

  it('is refused under an ETag that is no longer the one of the session', async () => {
    const { sessionId, refreshToken } = await start(service.app);
    const etag = String((await read(sessionId)).headers['etag']);
    expect(etag).toMatch(/^"[A-Za-z0-9_-]{16}"$/);
    const changed = await change(sessionId, { n: 1 }, { 'if-match': `"other", ${etag}` });
    expect(changed.statusCode).toBe(200);
    expectProblem(await change(sessionId, { n: 2 }, { 'if-match': etag }), 'precondition_failed');
    expectProblem(
      await change(sessionId, { n: 2 }, { 'if-match': `W/${changed.headers['etag']}` }),
      'precondition_failed',
    );
    expect((await change(sessionId, { n: 3 }, { 'if-match': '*' })).statusCode).toBe(200);
    const last = String((await read(sessionId)).headers['etag']);
    await refresh(service.app, refreshToken);
    expectProblem(await change(sessionId, { n: 4 }, { 'if-match': last }), 'precondition_failed');
    expect((await read(sessionId)).json().data.details).toMatchObject({ n: 3 });
  });

  it('is not spoiled by a verify, which changes nothing that is shown', async () => {
    await service.types.put('my-app', 'seen', { retryUntilUsed: true }, {});
    const { sessionId, refreshToken } = await start(service.app, { tag: 'seen' });
    const { token } = (await refresh(service.app, refreshToken)).json<{ token: string }>();
    const address = addressOf(sessionId, 'seen');
    const etag = String((await call(service.app, 'GET', address)).headers['etag']);
    const unseen = await service.store.read({ ...PLACE, tag: 'seen', sessionId });
    expect(unseen.session?.successorSeen).toBe(false);
    expect(await verify(service.app, token)).toMatchObject({ valid: true });
    await vi.waitFor(async () => {
      const { session } = await service.store.read({ ...PLACE, tag: 'seen', sessionId });
      expect(session?.successorSeen).toBe(true);
    });
    const changed = await call(service.app, 'PATCH', address, {
      body: { data: { details: { n: 1 } } },
      headers: { 'if-match': etag },
    });
    expect(changed.statusCode).toBe(200);
    expect(changed.headers['etag']).not.toBe(etag);
  });

  it('that the next token could not carry is refused, and names the claim', async () => {
    const own = await createTestApp();
    await own.types.put('my-app', 'user-session', { claims: ['role'] }, {});
    const { sessionId } = await start(own.app);
    const patch = (role: string) =>
      call(own.app, 'PATCH', addressOf(sessionId), { body: { data: { details: { role } } } });
    expect((await patch('x'.repeat(1000))).statusCode).toBe(200);
    expect(faultyFields(await patch('x'.repeat(1100)))).toEqual(['/data/details/role']);
    await own.app.close();
  });

  it('that would leave too much is refused, and names the details', async () => {
    const { sessionId } = await start(service.app);
    const answer = await change(sessionId, { long: 'x'.repeat(190) });
    expect(faultyFields(answer)).toEqual(['/data/details']);
    expect((await read(sessionId)).json().data.details).toEqual({ username: 'johndoe' });
  });

  it('changes nothing but details, and says so', async () => {
    const { sessionId } = await start(service.app);
    const answer = await call(service.app, 'PATCH', addressOf(sessionId), {
      body: { data: { userId: 'other', details: {} }, expiresAt: '2100-01-01T00:00:00Z' },
    });
    expect(faultyFields(answer)).toEqual(['/data/userId', '/expiresAt']);
  });

  it('is taken as a merge patch or as JSON, and as nothing else', async () => {
    const { sessionId } = await start(service.app);
    for (const type of ['application/json', 'application/merge-patch+json; charset=utf-8']) {
      expect((await change(sessionId, { n: 1 }, { 'content-type': type })).statusCode).toBe(200);
    }
    for (const type of ['application/json-patch+json', 'text/plain']) {
      const answer = await change(sessionId, { n: 1 }, { 'content-type': type });
      expectProblem(answer, 'unsupported_media_type');
    }
    const elsewhere = await call(service.app, 'POST', '/sessions', {
      body: START,
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expectProblem(elsewhere, 'unsupported_media_type');
  });

  it('does not bring back a session that has ended, nor race one back to life, in 200 races', async () => {
    for (let round = 0; round < 200; round++) {
      const { sessionId, token } = await start(service.app);
      const [changed, revoked] = await Promise.all([
        change(sessionId, { round }),
        call(service.app, 'DELETE', addressOf(sessionId)),
      ]);
      expect([200, 404]).toContain(changed.statusCode);
      expect(revoked.statusCode).toBe(204);
      expectProblem(await read(sessionId), 'session_not_found');
      expect(await verify(service.app, token)).toMatchObject({ valid: false });
      expectProblem(await change(sessionId, { round }), 'session_not_found');
    }
  });

  it('loses nothing of changes that are made at the same time', async () => {
    const { sessionId } = await start(service.app);
    const names = ['a', 'b', 'c', 'd', 'e'];
    const answers = await Promise.all(names.map((name) => change(sessionId, { [name]: 1 })));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(names.map(() => 200));
    const { details } = (await read(sessionId)).json().data;
    expect(Object.keys(details).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'username']);
  });
});

describe('what is known of the client', () => {
  const client = { ip: '203.0.113.7', userAgent: 'Mozilla/5.0', device: "Jane's phone" };

  it('is kept with the session, shown by read and list, replaced by a refresh that tells it, and never logged', async () => {
    const { sessionId, refreshToken } = await start(service.app, { client } as object);
    expect((await read(sessionId)).json().client).toEqual(client);
    const list = await call(
      service.app,
      'GET',
      '/sessions/my-app/prd/user-session?userId=user_123',
    );
    expect(list.json().sessions[0]).toMatchObject({ sessionId, client });
    const next = { ip: '2001:db8::1' };
    const body = { refreshToken, client: next };
    expect((await call(service.app, 'POST', '/sessions/refresh', { body })).statusCode).toBe(200);
    expect((await read(sessionId)).json()).toMatchObject({ client: next, refreshCount: 1 });
    for (const value of [...Object.values(client), next.ip]) {
      expect(service.log()).not.toContain(value);
    }
  });

  it('stays as it was when a refresh tells nothing of it, and when a token is answered again', async () => {
    const { sessionId, refreshToken } = await start(service.app, { client } as object);
    await refresh(service.app, refreshToken);
    const body = { refreshToken, client: { ip: '198.51.100.1' } };
    const again = await call(service.app, 'POST', '/sessions/refresh', { body });
    expect(again.headers['session-refresh']).toBe('replayed');
    expect((await read(sessionId)).json().client).toEqual(client);
  });

  it('has three members of limited length, all of them named when they are wrong', async () => {
    const body = { ...START, client: { ip: '', userAgent: 'x'.repeat(513), device: 1, mac: 'x' } };
    expect(faultyFields(await call(service.app, 'POST', '/sessions', { body }))).toEqual([
      '/client/device',
      '/client/ip',
      '/client/mac',
      '/client/userAgent',
    ]);
  });
});
