// Owns the comparison of random histories of one session with a small model, on the memory store with time advanced.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/sessions/errors.ts';
import { createTestApp, DEFAULT_POLICY } from '../support/test-app.ts';

/** The whole state of refresh, as a reader of the design would write it down. */
interface Model {
  alive: boolean;
  generation: number;
  rotatedAtMs: number;
  tokenExpiresAtMs: number;
  /** Whether the successor was seen; always true where the window does not wait for it. */
  seen: boolean;
  renewed: boolean;
  readonly endsAtMs: number;
}

type Expected = 'rotated' | 'replayed' | 'renewed' | 'reused' | 'ended';

const { tokenTtlSeconds, idleTtlSeconds, absoluteTtlSeconds, refreshRetrySeconds } = DEFAULT_POLICY;

function giveTimes(model: Model, nowMs: number): void {
  model.rotatedAtMs = nowMs;
  model.tokenExpiresAtMs = (Math.floor(nowMs / 1000) + tokenTtlSeconds) * 1000;
}

function expectRefresh(
  model: Model,
  presented: number,
  nowMs: number,
  retryUntilUsed: boolean,
): Expected {
  const expired = nowMs >= Math.min(model.rotatedAtMs + idleTtlSeconds * 1000, model.endsAtMs);
  if (!model.alive || expired) {
    model.alive = false;
    return 'ended';
  }
  if (presented === model.generation) {
    model.generation += 1;
    model.seen = !retryUntilUsed;
    model.renewed = false;
    giveTimes(model, nowMs);
    return 'rotated';
  }
  const inWindow = !model.renewed && nowMs < model.rotatedAtMs + refreshRetrySeconds * 1000;
  if (presented === model.generation - 1 && (inWindow || !model.seen)) {
    if (nowMs < model.tokenExpiresAtMs || model.renewed) return 'replayed';
    model.renewed = true;
    giveTimes(model, nowMs);
    return 'renewed';
  }
  model.alive = false;
  return 'reused';
}

/** The claims as signed text: identity, times and all. */
const claimsOf = (token: string): string | undefined => token.split('.')[1];

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('refresh' as const), age: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('verify' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), age: fc.nat(3) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 999, 15_000, 29_999, 30_000, 899_000, 604_800_000),
    }),
  },
);

describe('any history of one session', () => {
  it.each([
    ['as configured', false],
    ['open until the successor was seen', true],
  ])(
    'agrees with the model at every step, and every refresh token has at most one successor: retry window %s',
    async (_what, retryUntilUsed) => {
      const { app, clock, sessions, types } = await createTestApp();
      if (retryUntilUsed) await types.put('p', 't', { retryUntilUsed }, {});
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const started = await sessions.start({
            product: 'p',
            env: 'e',
            tag: 't',
            userId: 'u',
            details: {},
            clientId: 'root',
          });
          const pairs = [started];
          const startedAtMs = clock.wallMs();
          const model: Model = {
            alive: true,
            generation: 0,
            rotatedAtMs: startedAtMs,
            tokenExpiresAtMs: started.session.tokenExpiresAtSeconds * 1000,
            seen: true,
            renewed: false,
            endsAtMs: startedAtMs + absoluteTtlSeconds * 1000,
          };
          const byAge = (age: number) => pairs[Math.max(0, pairs.length - 1 - age)] ?? started;

          for (const action of steps) {
            if (action.do === 'wait') {
              clock.advance(action.ms);
            } else if (action.do === 'verify') {
              const nowMs = clock.wallMs();
              const verdict = await sessions.verify({}, { token: byAge(0).token });
              const expiresAtMs = byAge(0).session.tokenExpiresAtSeconds * 1000;
              const expected = nowMs >= expiresAtMs ? 'expired' : model.alive ? 'valid' : 'ended';
              expect(verdict.valid ? 'valid' : verdict.reason).toBe(expected);
              if (verdict.valid) model.seen = true;
            } else if (action.do === 'revoke') {
              await sessions.revokeByRefreshToken({}, byAge(action.age).refreshToken);
              model.alive = false;
            } else {
              const presented = byAge(action.age).session.generation;
              const expected = expectRefresh(model, presented, clock.wallMs(), retryUntilUsed);
              const answer = await sessions
                .refresh({}, { refreshToken: byAge(action.age).refreshToken })
                .catch((error) => {
                  if (error instanceof Refusal) return error.refused;
                  throw error;
                });
              if (!('outcome' in answer)) {
                expect(answer).toEqual({ code: 'invalid_refresh_token', reason: expected });
                continue;
              }
              expect(answer.outcome).toBe(expected === 'renewed' ? 'replayed' : expected);
              expect(answer.session.generation).toBe(presented + 1);
              expect(answer.session.tokenExpiresAtSeconds * 1000).toBe(model.tokenExpiresAtMs);
              if (expected === 'rotated') pairs.push({ ...answer, evicted: [] });
              else if (expected === 'renewed') pairs.splice(-1, 1, { ...answer, evicted: [] });
              else expect(claimsOf(answer.token)).toBe(claimsOf(byAge(0).token));
            }
          }
        }),
        { numRuns: 300 },
      );
      await app.close();
    },
  );
});
