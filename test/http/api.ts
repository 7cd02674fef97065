// Owns the way these tests speak to the application: requests with a key, and what every refusal must look like.

import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { expect } from 'vitest';
import { PROBLEM_KINDS, type ProblemCode } from '../../src/http/problem.ts';
import { ROOT_KEY } from '../support/test-app.ts';

export type Answer = LightMyRequestResponse;

export interface Pair {
  readonly token: string;
  readonly refreshToken: string;
  readonly sessionId: string;
  readonly expiresAt: string;
  readonly refreshExpiresAt: string;
}

export interface View {
  readonly sessionId: string;
  readonly data: { readonly userId: string; readonly details: unknown };
  readonly refreshCount: number;
}

export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

export interface Problem {
  readonly code: ProblemCode;
  readonly status: number;
  readonly detail: string;
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly errors?: readonly Fault[];
}

export type Method = NonNullable<InjectOptions['method']>;

export interface CallOptions {
  /** Sent as it is if it is text or bytes, else as JSON. */
  readonly body?: unknown;
  /** Undefined: the root key. Null: no Authorization header. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export const START = {
  product: 'my-app',
  env: 'prd',
  tag: 'user-session',
  data: { userId: 'user_123', details: { username: 'johndoe' } },
};

export function call(
  app: FastifyInstance,
  method: Method,
  url: string,
  { body, key = ROOT_KEY, headers }: CallOptions = {},
): Promise<Answer> {
  return app.inject({
    method,
    url,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined
      ? {}
      : {
          payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
        }),
  });
}

export const post = (app: FastifyInstance, url: string, body: unknown, key?: string) =>
  call(app, 'POST', url, key === undefined ? { body } : { body, key });

/** Starts a session and returns its pair. */
export async function start(app: FastifyInstance, over: Partial<typeof START> = {}): Promise<Pair> {
  const answer = await post(app, '/sessions', { ...START, ...over });
  expect(answer.statusCode).toBe(201);
  return answer.json<Pair>();
}

export const refresh = (app: FastifyInstance, refreshToken: string, key?: string) =>
  post(app, '/sessions/refresh', { refreshToken }, key);

export const verify = async (app: FastifyInstance, token: string): Promise<unknown> =>
  (await post(app, '/sessions/verify', { token })).json();

export const addressOf = (sessionId: string, tag = START.tag): string =>
  `/sessions/${START.product}/${START.env}/${tag}/${sessionId}`;

/** The sessions of START's place, as the list shows them. */
export async function listed(app: FastifyInstance): Promise<readonly View[]> {
  const answer = await call(app, 'GET', `/sessions/my-app/prd/user-session?limit=100`);
  expect(answer.statusCode).toBe(200);
  return answer.json<{ sessions: View[] }>().sessions;
}

const MEMBERS = ['type', 'title', 'status', 'detail', 'instance', 'code'];
const EXTRAS = ['reason', 'retryable', 'errors'];

/** Checks that the answer is a problem document of exactly this code, and returns it. */
export function expectProblem(answer: Answer, code: ProblemCode): Problem {
  expect(answer.json<Problem>().code, answer.body).toBe(code);
  return expectAnyProblem(answer, [code]);
}

/** Checks that the answer is a well-formed problem document with one of these codes, and returns it. */
export function expectAnyProblem(answer: Answer, codes: readonly ProblemCode[]): Problem {
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json(; charset=utf-8)?$/);
  expect(answer.headers['cache-control']).toBe('no-store');
  const problem = answer.json<Problem>();
  expect(codes, answer.body).toContain(problem.code);
  expect(answer.statusCode).toBe(PROBLEM_KINDS[problem.code].status);
  expect(Object.keys(problem).filter((name) => !EXTRAS.includes(name))).toEqual(MEMBERS);
  expect(problem).toMatchObject({
    type: `/docs/errors.md#${problem.code}`,
    title: PROBLEM_KINDS[problem.code].title,
    status: answer.statusCode,
    instance: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/),
  });
  return problem;
}

/** Checks for a refused refresh token with this reason. */
export function expectRefusedToken(answer: Answer, reason: 'invalid' | 'ended' | 'reused'): void {
  expect(expectProblem(answer, 'invalid_refresh_token').reason).toBe(reason);
}

/** The pointers of all faulty fields of an `invalid_request`, sorted. */
export function faultyFields(answer: Answer): readonly string[] {
  const { errors = [] } = expectProblem(answer, 'invalid_request');
  return errors.map(({ pointer }) => pointer).sort();
}
