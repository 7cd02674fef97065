// Owns the rows of the rotation table (design, section 3), one by one and at their edges.

import { describe, expect, it } from 'vitest';
import { decideRotation, lifetimeFrom, retryWindowMs } from '../../src/sessions/rotation.ts';
import { sampleSession } from '../support/sessions.ts';
import { DEFAULT_POLICY as policy } from '../support/test-app.ts';

const rotatedAt = 1_795_000_000_500;
const session = sampleSession({
  generation: 5,
  refreshedAtMs: rotatedAt,
  tokenExpiresAtSeconds: Math.floor(rotatedAt / 1000) + 900,
});

describe('a refresh token of the current generation', () => {
  it('rotates the session to the next generation', () => {
    const decision = decideRotation(session, 5, rotatedAt + 60_000, policy);
    expect(decision).toMatchObject({
      kind: 'rotate',
      recovered: false,
      next: { generation: 6, refreshedAtMs: rotatedAt + 60_000 },
    });
  });

  it('rotates even at the very moment of the last rotation', () => {
    expect(decideRotation(session, 5, rotatedAt, policy).kind).toBe('rotate');
  });
});

describe('a refresh token one generation old', () => {
  it.each([
    ['at the moment of the rotation', 0, 'replay'],
    ['in the last millisecond of the retry window', 29_999, 'replay'],
    ['at the end of the retry window', 30_000, 'reuse'],
    ['long after it', 3_000_000, 'reuse'],
  ])('is answered %s with %s ms passed by: %s', (_when, passedMs, kind) => {
    expect(decideRotation(session, 4, rotatedAt + passedMs, policy).kind).toBe(kind);
  });

  it('is never replayed when the retry window is 0', () => {
    const strict = { ...policy, refreshRetrySeconds: 0 };
    expect(decideRotation(session, 4, rotatedAt, strict).kind).toBe('reuse');
  });

  it('is replayed when the store has gone back in time', () => {
    expect(decideRotation(session, 4, rotatedAt - 5_000, policy).kind).toBe('replay');
  });
});

describe('a refresh token two or more generations old', () => {
  it.each([3, 1, 0])('is reuse even inside the retry window (generation %i)', (presented) => {
    expect(decideRotation(session, presented, rotatedAt + 1, policy).kind).toBe('reuse');
  });
});

describe('a genuine refresh token newer than the store', () => {
  it.each([6, 9])('carries on from its own generation (%i)', (presented) => {
    expect(decideRotation(session, presented, rotatedAt + 1, policy)).toMatchObject({
      kind: 'rotate',
      recovered: true,
      next: { generation: presented + 1 },
    });
  });
});

describe('where the retry window stays open until the successor was seen', () => {
  const patient = { ...policy, retryUntilUsed: true };
  const unseen = { ...session, successorSeen: false };
  const expiredMs = session.tokenExpiresAtSeconds * 1000 - rotatedAt;

  it.each([
    ['unseen, inside the plain window', unseen, 29_999, 'replay'],
    ['unseen, after it', unseen, 30_000, 'replay'],
    ['unseen, in the last millisecond of the token', unseen, expiredMs - 1, 'replay'],
    ['unseen, at the end of the token', unseen, expiredMs, 'renew'],
    ['unseen, long after it', unseen, 3_000_000, 'renew'],
    ['seen, inside the plain window', { ...session, successorSeen: true }, 29_999, 'replay'],
    ['seen, after it', { ...session, successorSeen: true }, 30_000, 'reuse'],
    ['not watched since its rotation', session, 30_000, 'reuse'],
  ])('a token one generation old, its successor %s, means: %s %s', (_what, it, passedMs, kind) => {
    expect(decideRotation(it, 4, rotatedAt + passedMs, patient).kind).toBe(kind);
  });

  it('a token two generations old is reuse all the same', () => {
    expect(decideRotation(unseen, 3, rotatedAt + 1, patient).kind).toBe('reuse');
  });

  it('the window closes when the type no longer asks for it', () => {
    expect(decideRotation(unseen, 4, rotatedAt + 30_000, policy).kind).toBe('reuse');
  });

  it('an expired token gets new times once, and is then repeated with them', () => {
    const at = rotatedAt + 3_000_000;
    const decision = decideRotation(unseen, 4, at, patient);
    expect(decision).toEqual({
      kind: 'renew',
      next: { ...lifetimeFrom(at, session.absoluteExpiresAtMs, patient), renewed: true },
    });
    const renewed = { ...unseen, ...lifetimeFrom(at, at + 86_400_000, patient), renewed: true };
    expect(decideRotation(renewed as typeof session, 4, at + 60_000, patient).kind).toBe('replay');
    expect(decideRotation(renewed as typeof session, 4, at + 950_000, patient).kind).toBe('replay');
  });

  it('a rotation begins to watch its successor, and forgets what the one before was', () => {
    const seen = { ...session, successorSeen: true, renewed: true as const };
    expect(decideRotation(seen, 5, rotatedAt + 1, patient)).toMatchObject({
      next: { successorSeen: false, renewed: undefined },
    });
    expect(decideRotation(seen, 5, rotatedAt + 1, policy)).toMatchObject({
      next: { successorSeen: undefined, renewed: undefined },
    });
  });

  it('nothing is renewed beyond the absolute limit', () => {
    const ends = session.tokenExpiresAtSeconds * 1000 + 700;
    const last = { ...unseen, absoluteExpiresAtMs: ends, expiresAtMs: ends };
    expect(decideRotation(last, 4, ends - 100, patient).kind).toBe('ended');
  });
});

describe('the end of a session', () => {
  it.each([
    [-1, 'rotate'],
    [0, 'ended'],
    [1, 'ended'],
  ])('%i ms after its expiry a current token means: %s', (offsetMs, kind) => {
    expect(decideRotation(session, 5, session.expiresAtMs + offsetMs, policy).kind).toBe(kind);
  });

  it('comes when no whole second is left before the absolute limit', () => {
    const last = { ...session, absoluteExpiresAtMs: rotatedAt + 700, expiresAtMs: rotatedAt + 700 };
    expect(decideRotation(last, 5, rotatedAt + 600, policy).kind).toBe('ended');
  });
});

describe('lifetimes', () => {
  it('never pass the absolute limit', () => {
    const absolute = rotatedAt + 100_999;
    expect(lifetimeFrom(rotatedAt, absolute, policy)).toEqual({
      refreshedAtMs: rotatedAt,
      expiresAtMs: absolute,
      tokenExpiresAtSeconds: Math.floor(absolute / 1000),
    });
  });

  it.each([
    [0, 900],
    [0.5, 788],
    [0.999_999, 676],
  ])(
    'with a jitter of a quarter chance %d leaves %i of 900 seconds, and only that',
    (chance, seconds) => {
      const plain = lifetimeFrom(rotatedAt, rotatedAt + 86_400_000, policy);
      const jittered = { ...policy, tokenTtlJitter: 0.25 };
      expect(lifetimeFrom(rotatedAt, rotatedAt + 86_400_000, jittered, chance)).toEqual({
        ...plain,
        tokenExpiresAtSeconds: Math.floor(rotatedAt / 1000) + seconds,
      });
    },
  );

  it('the retry window is never more than a third of the life of the token it repeats', () => {
    const short = { ...session, tokenExpiresAtSeconds: Math.floor(rotatedAt / 1000) + 30 };
    expect(retryWindowMs(short, policy)).toBe(10_000);
    expect(retryWindowMs(session, policy)).toBe(30_000);
  });
});
