// Owns sample sessions for tests.

import { randomBytes } from 'node:crypto';
import type { Session, UserRef } from '../../src/sessions/session.ts';
import { REVISION_BYTES, SEED_BYTES } from '../../src/sessions/session.ts';
import { bucketOf, createSessionIds } from '../../src/sessions/session-id.ts';

/** How long stores under test keep a user after its last session. */
export const RETENTION_MS = 30 * 24 * 3_600_000;

const newSessionId = createSessionIds(randomBytes);

/** A session started at `createdAtMs` that expires an hour later and at the latest a day later, changed by `over`. */
export function sampleSession(over: Partial<Session> = {}): Session {
  const place = { product: 'my-app', env: 'prd', tag: 'user-session', userId: 'user_1', ...over };
  const createdAtMs = over.createdAtMs ?? 1_795_000_000_000;
  return {
    ...place,
    sessionId: newSessionId(place, createdAtMs),
    details: { username: 'johndoe' },
    clientId: 'root',
    seed: randomBytes(SEED_BYTES),
    revision: randomBytes(REVISION_BYTES),
    createdAtMs,
    refreshedAtMs: createdAtMs,
    expiresAtMs: createdAtMs + 3_600_000,
    absoluteExpiresAtMs: createdAtMs + 86_400_000,
    generation: 0,
    tokenExpiresAtSeconds: Math.floor(createdAtMs / 1000) + 900,
    epoch: 0,
    ...over,
  };
}

/** The same session as a later write would leave it. */
export const rewritten = (session: Session, over: Partial<Session> = {}): Session => ({
  ...session,
  revision: randomBytes(REVISION_BYTES),
  ...over,
});

/** Another session of the same user, started at the same time. */
export function sibling(session: Session, over: Partial<Session> = {}): Session {
  const { sessionId: _taken, revision: _used, ...same } = session;
  return sampleSession({ ...same, ...over });
}

/** A user id that begins like this and lies in the bucket of `user`: only there do two users share counters. */
export function bucketMate(user: UserRef, begins: string): string {
  for (let i = 0; ; i++) {
    const userId = `${begins}${i}`;
    if (bucketOf({ ...user, userId }) === bucketOf(user)) return userId;
  }
}
