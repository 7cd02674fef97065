// Owns building the application in this process, on any store, with a clock that tests move.

import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../src/app.ts';
import type { ConfiguredKey } from '../../src/callers/authenticate.ts';
import { PERMISSIONS } from '../../src/callers/caller.ts';
import { createLogger } from '../../src/http/logger.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import type { LoadLimits } from '../../src/http/overload.ts';
import type { Lifecycle } from '../../src/http/routes/probes.ts';
import { createService } from '../../src/service.ts';
import {
  type Clock,
  type RandomBytes,
  systemPause,
  systemRandom,
} from '../../src/sessions/ambient.ts';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import type { SessionEvent } from '../../src/sessions/events.ts';
import type { LifetimePolicy } from '../../src/sessions/rotation.ts';
import type { SessionService } from '../../src/sessions/session-service.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import type { SessionTypes } from '../../src/sessions/session-types.ts';
import type { SigningKeys } from '../../src/sessions/signing-keys.ts';
import type { SigningAlgorithm } from '../../src/sessions/signing-ring.ts';
import { MAX_API_KEYS, MAX_TYPES } from '../../src/stores/limits.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from './sessions.ts';

export const ROOT_KEY = 'root-key';
export const METRICS_KEY = 'metrics-key';
export const SECRET = 'a-secret-of-32-bytes-for-the-tests';

const CONFIGURED_KEYS: readonly ConfiguredKey[] = [
  { key: ROOT_KEY, caller: { id: 'root', permissions: new Set(PERMISSIONS), scope: {} } },
  { key: METRICS_KEY, caller: { id: 'metrics', permissions: new Set(['metrics']), scope: {} } },
];

export const DEFAULT_POLICY: LifetimePolicy = {
  tokenTtlSeconds: 900,
  idleTtlSeconds: 604_800,
  absoluteTtlSeconds: 2_592_000,
  refreshRetrySeconds: 30,
};

/** A clock that stands still until it is advanced; both of its readings move together. */
export interface ManualClock extends Clock {
  advance(ms: number): void;
}

export function createManualClock(startMs = 1_795_000_000_000): ManualClock {
  let nowMs = startMs;
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

export interface TestAppOptions {
  readonly clock?: ManualClock;
  /** Shared by several apps to make them instances of one service. */
  readonly store?: SessionStore;
  /** Shared like `store`. */
  readonly typeStore?: DocumentStore;
  readonly requireTypes?: boolean;
  readonly policy?: Partial<LifetimePolicy>;
  readonly secrets?: readonly string[];
  readonly issuer?: string;
  readonly alg?: SigningAlgorithm;
  readonly maxSessionsPerUser?: number;
  readonly detailsMaxBytes?: number;
  readonly docs?: boolean;
  /** Shared by instances, as the store is. */
  readonly keyStore?: DocumentStore;
  /** A Redis connection for counting. */
  readonly counting?: unknown;
  readonly failuresPerMinute?: number;
  readonly trustProxy?: readonly string[];
  /** Two apps with the same draw the same ids. */
  readonly randomBytes?: RandomBytes;
  readonly pause?: (ms: number) => Promise<void>;
  /** Callers besides root and metrics. */
  readonly callers?: readonly ConfiguredKey[];
  /** Without: no load is shed. */
  readonly load?: Partial<LoadLimits>;
  readonly exchangeTimeoutMs?: number;
}

export interface TestApp {
  readonly app: FastifyInstance;
  readonly clock: ManualClock;
  readonly store: SessionStore;
  readonly sessions: SessionService;
  readonly types: SessionTypes;
  readonly typeStore: DocumentStore;
  readonly keys: SigningKeys;
  readonly events: SessionEvent[];
  readonly lifecycle: Lifecycle;
  /** All log lines so far, at level trace. */
  log(): string;
}

/** Close it with `app.close()`. Without options: a memory store, default limits, root and metrics keys. */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const clock = options.clock ?? createManualClock();
  const store =
    options.store ??
    createMemoryStore({ nowMs: clock.wallMs, maxSessions: 100_000, userRetentionMs: RETENTION_MS });
  const events: SessionEvent[] = [];
  const metrics = createMetrics();
  const emit = (event: SessionEvent) => {
    events.push(event);
    metrics.countEvent(event);
  };
  let lines = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines += String(chunk);
      done();
    },
  });
  const typeStore = options.typeStore ?? createMemoryDocuments(MAX_TYPES);
  const keyStore = options.keyStore ?? createMemoryDocuments(MAX_API_KEYS);
  const issuer = options.issuer ?? 'http://localhost:3000';
  const detailsMaxBytes = options.detailsMaxBytes ?? 8192;
  const service = createService(
    { store, typeStore, keyStore },
    {
      secrets: options.secrets ?? [SECRET],
      issuer,
      alg: options.alg ?? 'ES256',
      schedule: { jwksMaxAgeSeconds: 300, rotationSeconds: 0 },
      policy: { ...DEFAULT_POLICY, ...options.policy },
      requireTypes: options.requireTypes ?? false,
      maxSessionsPerUser: options.maxSessionsPerUser ?? 10_000,
      detailsMaxBytes,
      configuredKeys: [...CONFIGURED_KEYS, ...(options.callers ?? [])],
    },
    {
      clock,
      randomBytes: options.randomBytes ?? systemRandom,
      pause: options.pause ?? systemPause,
      emit,
    },
  );
  const { sessions, types, keys } = service;
  await keys.synchronize();
  const lifecycle: Lifecycle = { draining: false };
  const app = await buildApp({
    ...service,
    store,
    issuer,
    rateLimits: { redis: options.counting, failuresPerMinute: options.failuresPerMinute ?? 0 },
    metrics,
    lifecycle,
    logger: createLogger('trace', destination),
    newRequestId: randomUUID,
    detailsMaxBytes,
    // The tests of a file share one loop with the runner, which may stand still for long.
    // Nothing is ever more: where the loop stood still for a whole sample, its delay is measured as infinite.
    load: { maxLoopDelayMs: Number.POSITIVE_INFINITY, maxInFlight: 2_000, ...options.load },
    exchangeTimeoutMs: options.exchangeTimeoutMs ?? 30_000,
    trustProxy: options.trustProxy ?? [],
    docs: options.docs ?? false,
  });
  return {
    app,
    clock,
    store,
    sessions,
    types,
    typeStore,
    keys,
    events,
    lifecycle,
    log: () => lines,
  };
}
