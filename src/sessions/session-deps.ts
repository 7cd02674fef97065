// Owns the list of what the session operations need from outside.

import type { RandomBytes } from './ambient.ts';
import type { Fault } from './errors.ts';
import type { EmitEvent } from './events.ts';
import type { Sealer } from './sealing.ts';
import type { JsonObject, UserRef } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { TypePolicy } from './session-type.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { StoreClock } from './store-clock.ts';

/** What is in force under each tag. */
export interface PolicySource {
  policyFor(product: string, tag: string): TypePolicy | Promise<TypePolicy>;
  /** Whether sessions start only under tags that have a type. */
  readonly required: boolean;
}

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
  readonly types: PolicySource;
  readonly maxSessionsPerUser: number;
  /** What is wrong with details that are about to be kept. */
  readonly judgeDetails: (details: JsonObject) => readonly Fault[];
  /** Resolves after `ms` milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
}
