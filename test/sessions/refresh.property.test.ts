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
  readonly endsAtMs: number;
}

type Expected = 'rotated' | 'replayed' | 'reused' | 'ended';

const { idleTtlSeconds, absoluteTtlSeconds, refreshRetrySeconds } = DEFAULT_POLICY;

function expectRefresh(model: Model, presented: number, nowMs: number): Expected {
  const expired = nowMs >= Math.min(model.rotatedAtMs + idleTtlSeconds * 1000, model.endsAtMs);
  if (!model.alive || expired) {
    model.alive = false;
    return 'ended';
  }
  if (presented === model.generation) {
    model.generation += 1;
    model.rotatedAtMs = nowMs;
    return 'rotated';
  }
  const inWindow = nowMs < model.rotatedAtMs + refreshRetrySeconds * 1000;
  if (presented === model.generation - 1 && inWindow) return 'replayed';
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
  it('agrees with the model at every step, and every refresh token has at most one successor', async () => {
    const { app, clock, sessions } = await createTestApp();
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
          } else if (action.do === 'revoke') {
            await sessions.revokeByRefreshToken({}, byAge(action.age).refreshToken);
            model.alive = false;
          } else {
            const presented = byAge(action.age).session.generation;
            const expected = expectRefresh(model, presented, clock.wallMs());
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
            expect(answer.outcome).toBe(expected);
            expect(answer.session.generation).toBe(presented + 1);
            if (answer.outcome === 'rotated') pairs.push({ ...answer, evicted: [] });
            else expect(claimsOf(answer.token)).toBe(claimsOf(byAge(0).token));
          }
        }
      }),
      { numRuns: 300 },
    );
    await app.close();
  });
});
