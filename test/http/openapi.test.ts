// Owns the promise that the OpenAPI document tells what answers look like where no single route decides it.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';
import { type Answer, call, post, START, start } from './api.ts';

interface Response {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema: { readonly anyOf?: unknown } }>>;
}
interface Operation {
  readonly operationId: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, Response>>;
}
interface Document {
  readonly info: { readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

let service: TestApp;
let down = false;
let document: Document;
beforeAll(async () => {
  const clock = createManualClock();
  const memory = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 100,
    userRetentionMs: RETENTION_MS,
  });
  service = await createTestApp({
    clock,
    store: {
      ...memory,
      read: async (locator) => {
        if (down) throw new Outage('read: test');
        return memory.read(locator);
      },
    },
  });
  await service.app.ready();
  document = service.app.swagger() as unknown as Document;
});
afterAll(() => service.app.close());

const operations = () => Object.values(document.paths).flatMap((path) => Object.values(path));
const namesOf = (operation: Operation | undefined, status: number | string): string[] =>
  Object.keys(operation?.responses[status]?.headers ?? {});
const verify = () => operations().find(({ operationId }) => operationId === 'verifyToken');

const RATE_LIMIT = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'];

it('every operation behind a key names the headers of its refusals, and of its successes', () => {
  const guarded = operations().filter(({ security }) => security?.length !== 0);
  expect(guarded.length).toBeGreaterThan(20);
  for (const operation of guarded) {
    const { operationId, responses } = operation;
    expect(namesOf(operation, 401), operationId).toEqual(['WWW-Authenticate']);
    expect(namesOf(operation, 429), operationId).toEqual(['Retry-After', ...RATE_LIMIT]);
    expect(namesOf(operation, 503), operationId).toEqual(['Retry-After']);
    for (const status of Object.keys(responses).filter((each) => each.startsWith('2'))) {
      expect(namesOf(operation, status), operationId).toEqual(expect.arrayContaining(RATE_LIMIT));
    }
  }
});

it('a public operation names no limit of a key', () => {
  const open = operations().filter(({ security }) => security?.length === 0);
  expect(open.length).toBeGreaterThan(3);
  for (const operation of open) expect(namesOf(operation, 200)).not.toContain('RateLimit-Limit');
});

it('the headers named of a refusal are those that it carries', async () => {
  const { token } = await start(service.app);
  const refused: Answer = await call(service.app, 'POST', '/sessions/verify', {
    key: null,
    body: { token },
  });
  down = true;
  const unavailable = await post(service.app, '/sessions/verify', { token });
  down = false;
  for (const [answer, status] of [
    [refused, 401],
    [unavailable, 503],
  ] as const) {
    expect(answer.statusCode).toBe(status);
    const carried = Object.keys(answer.headers);
    for (const name of namesOf(verify(), status)) expect(carried).toContain(name.toLowerCase());
  }
});

it('a verdict is one of two things, told apart by `valid`, and each is given as it is described', async () => {
  const { anyOf } = verify()?.responses['200']?.content?.['application/json']?.schema ?? {};
  const [good, bad] = anyOf as { required: string[]; properties: { valid: { enum: boolean[] } } }[];
  expect([good?.properties.valid.enum, bad?.properties.valid.enum]).toEqual([[true], [false]]);
  const { token } = await start(service.app, { data: { ...START.data, userId: '😀'.repeat(256) } });
  const valid = await post(service.app, '/sessions/verify', { token });
  expect(Object.keys(valid.json()).sort()).toEqual([...(good?.required ?? [])].sort());
  const invalid = await post(service.app, '/sessions/verify', { token: 'x' });
  expect(Object.keys(invalid.json()).sort()).toEqual([...(bad?.required ?? [])].sort());
});

it('what any address may answer is said once', () => {
  for (const status of ['405', '408', '413', '414', '417', '431']) {
    expect(document.info.description).toContain(status);
  }
});
