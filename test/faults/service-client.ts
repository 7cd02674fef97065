// Owns how the fault tests talk to a service: each answer whole and timed, and the rules that an answer keeps while the store is in trouble.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ServiceProcess } from '../support/service-process.ts';

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** Header Session-Refresh: `rotated`, `replayed` or empty. */
  readonly outcome: string;
  readonly retryAfter: number;
  readonly ms: number;
}

export interface Pair {
  readonly token: string;
  readonly refreshToken: string;
  readonly sessionId: string;
}

export interface Claims {
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
}

/** Invariant I7 (shared/reliability.md): an answer within 2 s, fault or not. */
export const ANSWERED_MS = 2000;
/** Invariant I9: the first good answer within 3 s of the store being usable. */
export const RECOVERED_MS = 3000;

export const PLACE = { product: 'my-app', env: 'prd', tag: 'user-session' };
const TAG_PATH = '/sessions/my-app/prd/user-session';

export type Caller = Pick<ServiceProcess, 'call'>;

export async function ask(
  service: Caller,
  path: string,
  body?: unknown,
  method?: string,
): Promise<Answer> {
  const startedMs = performance.now();
  const response = await service.call(path, body, method);
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Answer['body']),
    outcome: response.headers.get('session-refresh') ?? '',
    retryAfter: Number(response.headers.get('retry-after')),
    ms: performance.now() - startedMs,
  };
}

export const start = (service: Caller, userId = 'user_1'): Promise<Answer> =>
  ask(service, '/sessions', { ...PLACE, data: { userId, details: { plan: 'pro' } } });
export const refresh = (service: Caller, { refreshToken }: Pair): Promise<Answer> =>
  ask(service, '/sessions/refresh', { refreshToken });
export const verify = (service: Caller, { token }: Pair): Promise<Answer> =>
  ask(service, '/sessions/verify', { token });
export const revokeByToken = (service: Caller, { token }: Pair): Promise<Answer> =>
  ask(service, '/sessions/revoke', { token });
export const revokeByRefreshToken = (service: Caller, { refreshToken }: Pair): Promise<Answer> =>
  ask(service, '/sessions/revoke', { refreshToken });
export const read = (service: Caller, { sessionId }: Pair): Promise<Answer> =>
  ask(service, `${TAG_PATH}/${sessionId}`);
export const change = (service: Caller, { sessionId }: Pair): Promise<Answer> =>
  ask(service, `${TAG_PATH}/${sessionId}`, { data: { details: { plan: 'max' } } }, 'PATCH');
export const remove = (service: Caller, { sessionId }: Pair): Promise<Answer> =>
  ask(service, `${TAG_PATH}/${sessionId}`, undefined, 'DELETE');
export const listUser = (service: Caller, userId: string): Promise<Answer> =>
  ask(service, `${TAG_PATH}?userId=${encodeURIComponent(userId)}`);
export const listTag = (service: Caller): Promise<Answer> => ask(service, TAG_PATH);
export const removeUser = (service: Caller, userId: string): Promise<Answer> =>
  ask(service, `/users/my-app/prd/${encodeURIComponent(userId)}/sessions`, undefined, 'DELETE');

/** The pair in an answer that must be a success. */
export function pairOf({ status, body }: Answer): Pair {
  expect([200, 201], JSON.stringify(body)).toContain(status);
  return body as unknown as Pair;
}

export const newSession = async (service: Caller, userId?: string): Promise<Pair> =>
  pairOf(await start(service, userId));

export const claimsOf = ({ token }: Pair): Claims =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;

/** The one honest answer to a call that the store cannot settle. */
export function expectUnavailable(answer: Answer): void {
  expect(answer).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
  expect(answer.retryAfter).toBeGreaterThanOrEqual(1);
  expect(answer.ms).toBeLessThan(ANSWERED_MS);
}

export async function expectValid(service: Caller, pair: Pair): Promise<void> {
  expect(await verify(service, pair)).toMatchObject({ status: 200, body: { valid: true } });
}

/** The session has ended: neither of its tokens works any more. */
export async function expectEnded(service: Caller, pair: Pair): Promise<void> {
  expect((await verify(service, pair)).body).toEqual({ valid: false, reason: 'ended' });
  expect(await refresh(service, pair)).toMatchObject({
    status: 400,
    body: { code: 'invalid_refresh_token', reason: 'ended' },
  });
}

/** Repeats a call until it is no longer 503, for so long at most. Anything but a success or 503 fails at once. */
export async function untilGood(call: () => Promise<Answer>, withinMs: number): Promise<Answer> {
  const startedMs = performance.now();
  for (;;) {
    const answer = await call();
    const afterMs = performance.now() - startedMs;
    if (answer.status !== 503) {
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
      expect(afterMs).toBeLessThan(withinMs);
      return answer;
    }
    expectUnavailable(answer);
    expect(afterMs, 'still unavailable').toBeLessThan(withinMs);
    await sleep(20);
  }
}
