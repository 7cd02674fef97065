// Owns the process: configuration, dependencies, listening, housekeeping, draining.

import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { buildApp } from './app.ts';
import { createApiKeys } from './callers/api-keys.ts';
import { authenticateConfigured, authenticateStored } from './callers/authenticate.ts';
import { PERMISSIONS } from './callers/caller.ts';
import { type Config, ConfigError, loadProcessConfig } from './config.ts';
import { curlCommand, keptRootKey } from './development.ts';
import { drainOnSignal, exitOnSignal } from './drain.ts';
import { eventSink } from './event-sink.ts';
import { keepHouse } from './housekeeping.ts';
import { createLogger } from './http/logger.ts';
import { createMetrics, type Metrics } from './http/metrics.ts';
import type { Lifecycle } from './http/routes/probes.ts';
import { systemClock, systemPause, systemRandom } from './sessions/ambient.ts';
import { detailsFaults } from './sessions/details-rules.ts';
import type { DocumentStore } from './sessions/document-store.ts';
import { createSealer } from './sessions/sealing.ts';
import { createSessionService } from './sessions/session-service.ts';
import type { SessionStore } from './sessions/session-store.ts';
import { createSessionTypes } from './sessions/session-types.ts';
import { createSigningKeys, RingUnreadable } from './sessions/signing-keys.ts';
import { createStoreClock } from './sessions/store-clock.ts';
import { judgeRedis, StartRefused, waitForStore } from './start-up.ts';
import { MAX_API_KEYS, MAX_TYPES } from './stores/limits.ts';
import { createMemoryDocuments } from './stores/memory-documents.ts';
import { createMemoryStore } from './stores/memory-store.ts';
import { connectImpatiently, type RedisClient } from './stores/redis/connect.ts';
import { createRedisStore, type RedisStore } from './stores/redis/redis-store.ts';

const ROOT_KEY_FILE = '.session-mint/root-api-key';
/** In production, how long readiness says no before the port closes, so that load balancers notice. */
const NOTICE_MS = 1_000;
const MAX_LOOP_DELAY_MS = 1_000;
const DAY_MS = 24 * 3600 * 1000;

function fail(problem: string): never {
  process.stderr.write(`session-mint cannot start.\n${problem}\n`);
  process.exit(1);
}

function readConfig(): Config {
  try {
    return loadProcessConfig();
  } catch (error) {
    if (error instanceof ConfigError) fail(error.message);
    throw error;
  }
}

/** The store, and a way to inspect it that refuses what must not be used. */
interface OpenedStore {
  readonly store: SessionStore;
  readonly typeStore: DocumentStore;
  readonly keyStore: DocumentStore;
  /** Where rate limits are counted for all instances. */
  readonly counting?: RedisClient;
  readonly inspect: () => Promise<void>;
}

/** Says what is wrong with the connection once, not at every attempt: a wrong password is no outage that ends by itself. */
function warnOfChanges(logger: Logger): (code: string) => void {
  let last: string | undefined;
  return (code) => {
    logger[code === last ? 'debug' : 'warn']({ code }, 'redis connection failed');
    last = code;
  };
}

function openStore(config: Config, logger: Logger, metrics: Metrics): OpenedStore {
  if (config.redis === undefined) {
    const store = createMemoryStore({
      nowMs: systemClock.wallMs,
      maxSessions: config.settings.MEMORY_MAX_SESSIONS,
      userRetentionMs: config.settings.USER_RETENTION_DAYS * DAY_MS,
    });
    return {
      store,
      typeStore: createMemoryDocuments(MAX_TYPES),
      keyStore: createMemoryDocuments(MAX_API_KEYS),
      inspect: async () => undefined,
    };
  }
  const store = createRedisStore({
    target: config.redis,
    waitReplicas: config.settings.REDIS_WAIT_REPLICAS,
    userRetentionMs: config.settings.USER_RETENTION_DAYS * DAY_MS,
    monotonicMs: systemClock.monotonicMs,
    observe: metrics.observeStore,
    onTrouble: warnOfChanges(logger),
  });
  return {
    store,
    typeStore: store.types,
    keyStore: store.apiKeys,
    counting: connectImpatiently(config.redis, () => undefined),
    inspect: () => inspectStore(store, config, logger),
  };
}

async function inspectStore(store: RedisStore, config: Config, logger: Logger): Promise<void> {
  const facts = await store.inspect();
  const skewMs = systemClock.wallMs() - (await store.now());
  const { refusals, warnings } = judgeRedis(facts, skewMs, {
    production: config.production,
    allowEviction: config.settings.ALLOW_EVICTION,
  });
  for (const warning of warnings) logger.warn(warning);
  if (refusals.length > 0) throw new StartRefused(refusals.join('\n'));
}

function rootKeyOf(config: Config): string {
  return config.settings.ROOT_API_KEY ?? keptRootKey(ROOT_KEY_FILE, systemRandom);
}

function configuredKeys(config: Config, rootKey: string) {
  const root = { id: 'root', permissions: new Set(PERMISSIONS), scope: {} };
  const metrics = { id: 'metrics', permissions: new Set(['metrics'] as const), scope: {} };
  const { METRICS_API_KEY } = config.settings;
  return [
    { key: rootKey, caller: root },
    ...(METRICS_API_KEY === undefined ? [] : [{ key: METRICS_API_KEY, caller: metrics }]),
  ];
}

async function start(config: Config): Promise<void> {
  const { settings, production } = config;
  const logger = createLogger(settings.LOG_LEVEL);
  const metrics = createMetrics();
  const lifecycle: Lifecycle = { draining: false };
  const emit = eventSink(logger, metrics);
  const secrets = config.secrets.length > 0 ? config.secrets : [systemRandom(32).toString('hex')];
  const sealer = (purpose: Parameters<typeof createSealer>[1]) =>
    createSealer(secrets, purpose, systemRandom);

  const { store, typeStore, keyStore, counting, inspect } = openStore(config, logger, metrics);
  const storeClock = createStoreClock(systemClock, store.now);
  const keys = createSigningKeys({
    store,
    sealer: sealer('signing-ring'),
    alg: settings.SIGNING_ALG,
    schedule: {
      jwksMaxAgeSeconds: settings.JWKS_MAX_AGE_SECONDS,
      rotationSeconds: settings.SIGNING_KEY_ROTATION_SECONDS,
    },
    storeClock,
    clock: systemClock,
    emit,
  });
  const stopExiting = exitOnSignal();
  await waitForStore(inspect, logger, systemClock.monotonicMs);
  await waitForStore(keys.synchronize, logger, systemClock.monotonicMs);

  const types = createSessionTypes({
    store: typeStore,
    sessions: store,
    defaults: config.policy,
    required: settings.REQUIRE_SESSION_TYPES,
    clock: systemClock,
    randomBytes: systemRandom,
    emit,
  });
  const sessions = createSessionService({
    store,
    storeClock,
    keys,
    refreshTokenSealer: sealer('refresh-token'),
    cursorSealer: sealer('list-cursor'),
    randomBytes: systemRandom,
    emit,
    issuer: settings.ISSUER,
    types,
    maxSessionsPerUser: settings.MAX_SESSIONS_PER_USER,
    judgeDetails: (details) => detailsFaults(details, settings.DETAILS_MAX_BYTES),
    pause: systemPause,
  });
  const rootKey = rootKeyOf(config);
  const authenticate = authenticateStored({ store: keyStore, storeClock, clock: systemClock });
  const app = await buildApp({
    sessions,
    types,
    keys,
    store,
    authenticate: authenticateConfigured(configuredKeys(config, rootKey), authenticate),
    apiKeys: createApiKeys({
      store: keyStore,
      storeClock,
      randomBytes: systemRandom,
      emit,
      forget: authenticate.forget,
    }),
    rateLimits: { redis: counting, failuresPerMinute: settings.AUTH_FAILURES_PER_MINUTE },
    metrics,
    lifecycle,
    logger,
    newRequestId: randomUUID,
    detailsMaxBytes: settings.DETAILS_MAX_BYTES,
    maxLoopDelayMs: MAX_LOOP_DELAY_MS,
    trustProxy: config.trustProxy,
    docs: config.docs,
  });
  stopExiting();
  drainOnSignal({ app, store, lifecycle, logger, noticeMs: production ? NOTICE_MS : 0 });
  keepHouse({ inspect, storeClock, keys, logger });
  await listen(app, settings);
  announce(config, app, logger, rootKey);
}

async function listen(app: FastifyInstance, { HOST, PORT }: Config['settings']): Promise<void> {
  try {
    await app.listen({ port: PORT, host: HOST });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new StartRefused(`HOST, PORT: cannot listen on ${HOST}:${PORT} (${code})`);
  }
}

function announce(config: Config, app: FastifyInstance, logger: Logger, rootKey: string): void {
  const { settings, production } = config;
  const { port } = app.server.address() as AddressInfo;
  if (settings.REFRESH_RETRY_SECONDS * 3 > settings.TOKEN_TTL_SECONDS) {
    logger.warn('REFRESH_RETRY_SECONDS is more than a third of TOKEN_TTL_SECONDS; a third is used');
  }
  logger.info({ host: settings.HOST, port, store: config.redis?.mode ?? 'memory' }, 'listening');
  if (production) return;
  // The lines of the log are buffered; the command is to stand below them.
  logger.flush();
  process.stdout.write(`\nStart a session:\n\n${curlCommand(settings.HOST, port, rootKey)}\n\n`);
}

/** `--report-drift`: recounts what is kept, says so as JSON, and exits with 1 if anything is off. */
async function reportDrift(config: Config): Promise<void> {
  if (config.redis === undefined) fail('--report-drift needs a Redis');
  const logger = createLogger('warn');
  const { store, counting } = openStore(config, logger, createMetrics());
  counting?.disconnect();
  await waitForStore(store.now, logger, systemClock.monotonicMs);
  const { sessions, parts, ...off } = await (store as RedisStore).drift();
  const drift = Object.values(off).reduce((sum, each) => sum + each, 0);
  process.stdout.write(`${JSON.stringify({ sessions, parts, ...off, drift })}\n`);
  await store.close();
  process.exitCode = drift === 0 ? 0 : 1;
}

function failWith(error: unknown): never {
  if (error instanceof StartRefused || error instanceof RingUnreadable) fail(error.message);
  fail(error instanceof Error ? (error.stack ?? error.message) : 'unknown error');
}

const config = readConfig();
if (process.argv.includes('--report-drift')) {
  reportDrift(config).catch(failWith);
} else if (process.argv.includes('--check-config')) {
  const store = config.redis === undefined ? 'memory store' : `Redis (${config.redis.mode})`;
  const mode = config.production ? 'production' : 'development';
  process.stdout.write(`The configuration is valid: ${mode}, ${store}.\n`);
} else {
  start(config).catch(failWith);
}
