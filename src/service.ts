// Owns how the parts of the service are put together on a store: one wiring, for the process and for tests. Knows no environment.

import { type ApiKeys, createApiKeys } from './callers/api-keys.ts';
import {
  authenticateConfigured,
  authenticateStored,
  type ConfiguredKey,
} from './callers/authenticate.ts';
import type { Authenticate } from './callers/caller.ts';
import type { Clock, RandomBytes } from './sessions/ambient.ts';
import { detailsFaults } from './sessions/details-rules.ts';
import type { DocumentStore } from './sessions/document-store.ts';
import type { EmitEvent } from './sessions/events.ts';
import type { LifetimePolicy } from './sessions/rotation.ts';
import { createSealer } from './sessions/sealing.ts';
import { createSessionService, type SessionService } from './sessions/session-service.ts';
import type { SessionStore } from './sessions/session-store.ts';
import { createSessionTypes, type SessionTypes } from './sessions/session-types.ts';
import { createSigningKeys, type SigningKeys } from './sessions/signing-keys.ts';
import type { KeySchedule, SigningAlgorithm } from './sessions/signing-ring.ts';
import { createStoreClock, type StoreClock } from './sessions/store-clock.ts';

/** Where everything is kept. */
export interface Stores {
  readonly store: SessionStore;
  readonly typeStore: DocumentStore;
  readonly keyStore: DocumentStore;
}

/** What the operator decides. */
export interface ServiceSettings {
  /** The first seals, all open. */
  readonly secrets: readonly string[];
  readonly issuer: string;
  readonly alg: SigningAlgorithm;
  readonly schedule: KeySchedule;
  /** In force under tags that have no type. */
  readonly policy: LifetimePolicy;
  readonly requireTypes: boolean;
  readonly maxSessionsPerUser: number;
  readonly detailsMaxBytes: number;
  readonly configuredKeys: readonly ConfiguredKey[];
}

/** Time, randomness, and where events go. */
export interface Surroundings {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  /** Resolves after `ms` milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  readonly emit: EmitEvent;
}

export interface Service {
  readonly sessions: SessionService;
  readonly types: SessionTypes;
  readonly apiKeys: ApiKeys;
  readonly authenticate: Authenticate;
  /** To be synchronized before the first request, and every few seconds. */
  readonly keys: SigningKeys;
  readonly storeClock: StoreClock;
}

/** Asks the store for nothing yet. */
export function createService(
  { store, typeStore, keyStore }: Stores,
  settings: ServiceSettings,
  { clock, randomBytes, pause, emit }: Surroundings,
): Service {
  const sealer = (purpose: Parameters<typeof createSealer>[1]) =>
    createSealer(settings.secrets, purpose, randomBytes);
  const storeClock = createStoreClock(clock, store.now);
  const { alg, schedule } = settings;
  const ringSealer = sealer('signing-ring');
  const keys = createSigningKeys({
    store,
    sealer: ringSealer,
    alg,
    schedule,
    storeClock,
    clock,
    emit,
  });
  const types = createSessionTypes({
    store: typeStore,
    sessions: store,
    defaults: settings.policy,
    required: settings.requireTypes,
    clock,
    pause,
    randomBytes,
    emit,
  });
  const sessions = createSessionService({
    store,
    storeClock,
    keys,
    refreshTokenSealer: sealer('refresh-token'),
    cursorSealer: sealer('list-cursor'),
    randomBytes,
    emit,
    issuer: settings.issuer,
    types,
    maxSessionsPerUser: settings.maxSessionsPerUser,
    judgeDetails: (details) => detailsFaults(details, settings.detailsMaxBytes),
    pause,
  });
  const stored = authenticateStored({ store: keyStore, storeClock, clock });
  const { forget } = stored;
  return {
    sessions,
    types,
    apiKeys: createApiKeys({ store: keyStore, storeClock, randomBytes, emit, forget }),
    authenticate: authenticateConfigured(settings.configuredKeys, stored),
    keys,
    storeClock,
  };
}
