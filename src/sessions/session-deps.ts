// Owns the list of what the session operations need from outside.

import type { RandomBytes } from './ambient.ts';
import type { DetailsFault } from './errors.ts';
import type { EmitEvent } from './events.ts';
import type { LifetimePolicy } from './rotation.ts';
import type { Sealer } from './sealing.ts';
import type { JsonObject, UserRef } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { StoreClock } from './store-clock.ts';

export interface SessionDeps {
  readonly store: SessionStore;
  readonly storeClock: StoreClock;
  readonly keys: SigningKeys;
  readonly refreshTokenSealer: Sealer;
  readonly cursorSealer: Sealer;
  readonly newSessionId: (user: UserRef, nowMs: number) => string;
  readonly randomBytes: RandomBytes;
  readonly emit: EmitEvent;
  readonly issuer: string;
  readonly policy: LifetimePolicy;
  readonly maxSessionsPerUser: number;
  /** What is wrong with details that are about to be kept. */
  readonly judgeDetails: (details: JsonObject) => readonly DetailsFault[];
  /** Resolves after `ms` milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
}
