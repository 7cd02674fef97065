// Owns the promises to an operator: what each request leaves in the log and in the numbers, and what the probes say.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestApp, METRICS_KEY, type TestApp } from '../support/test-app.ts';
import { call, START } from './api.ts';

let service: TestApp;
beforeEach(async () => {
  service = await createTestApp();
});
afterEach(() => service.app.close());

const lines = (): Record<string, unknown>[] =>
  service
    .log()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const metrics = async (): Promise<string> =>
  (await call(service.app, 'GET', '/metrics', { key: METRICS_KEY })).body;

it('each request is one line: route pattern, status, caller, time, and never its address or body', async () => {
  await call(service.app, 'POST', '/sessions', { body: START });
  await call(service.app, 'GET', '/sessions/my-app/prd/user-session?userId=somebody-private');
  const requests = lines().filter(({ msg }) => msg === 'request');
  expect(requests).toMatchObject([
    { level: 'info', method: 'POST', route: '/sessions', status: 201, caller: 'root' },
    { method: 'GET', route: '/sessions/:product/:env/:tag', status: 200 },
  ]);
  for (const line of requests) expect(typeof line['ms']).toBe('number');
  expect(service.log()).not.toContain('somebody-private');
});

it('requests are counted by route pattern and status, sessions by what happened to them', async () => {
  const started = await call(service.app, 'POST', '/sessions', { body: START });
  const { refreshToken } = started.json() as { refreshToken: string };
  for (let i = 0; i < 2; i++) {
    await call(service.app, 'POST', '/sessions/refresh', { body: { refreshToken } });
  }
  await call(service.app, 'POST', '/sessions/revoke', { body: { refreshToken } });
  await call(service.app, 'POST', '/sessions', { body: {} });
  const text = await metrics();
  for (const event of ['started', 'refreshed', 'refresh_replayed', 'revoked']) {
    expect(text).toContain(`session_events_total{event="session_${event}"} 1`);
  }
  const count = (status: number) =>
    `http_request_duration_seconds_count{method="POST",route="/sessions",status="${status}"} 1`;
  expect(text).toContain(count(201));
  expect(text).toContain(count(400));
  for (const name of ['nodejs_eventloop_lag_seconds', 'process_resident_memory_bytes']) {
    expect(text).toContain(name);
  }
});

it('sessions that an erasure ends are counted as revoked', async () => {
  const revoked = async () =>
    Number(/event="user_sessions_revoked"} (\d+)/.exec(await metrics())?.[1] ?? 0);
  const before = await revoked();
  const body = { ...START, data: { userId: 'erased' } };
  for (let i = 0; i < 3; i++) await call(service.app, 'POST', '/sessions', { body });
  await call(service.app, 'DELETE', '/users/my-app/prd/erased');
  expect((await revoked()) - before).toBe(3);
  await call(service.app, 'DELETE', '/users/my-app/prd/erased');
  expect((await revoked()) - before).toBe(3);
});

it('theft is counted by a name of its own', async () => {
  const started = await call(service.app, 'POST', '/sessions', { body: START });
  const { refreshToken } = started.json() as { refreshToken: string };
  const refresh = () => call(service.app, 'POST', '/sessions/refresh', { body: { refreshToken } });
  await refresh();
  const name = 'session_events_total{event="session_refresh_reused"}';
  expect(await metrics()).not.toContain(name);
  service.clock.advance(31_000);
  expect((await refresh()).json()).toMatchObject({ reason: 'reused' });
  expect(await metrics()).toContain(`${name} 1`);
});

it('readiness names the store, its mode and its durability', async () => {
  const answer = await call(service.app, 'GET', '/readyz', { key: null });
  expect(answer.json()).toEqual({
    status: 'ready',
    store: 'memory',
    mode: 'embedded',
    durability: 'memory',
    acknowledgedReplicas: 0,
  });
  service.lifecycle.draining = true;
  expect((await call(service.app, 'GET', '/readyz', { key: null })).statusCode).toBe(503);
  expect((await call(service.app, 'GET', '/livez', { key: null })).statusCode).toBe(200);
});

it('a probe that succeeds is not worth a line', async () => {
  for (const url of ['/livez', '/readyz']) await call(service.app, 'GET', url, { key: null });
  expect(lines().filter(({ msg }) => msg === 'request')).toEqual([]);
});
