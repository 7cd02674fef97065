// Owns the process: configuration, dependencies, listening, housekeeping, draining.

import './to-base64.ts';
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { buildApp } from './app.ts';
import type { ConfiguredKey } from './callers/authenticate.ts';
import { PERMISSIONS } from './callers/caller.ts';
import { type Config, ConfigError, loadProcessConfig } from './config.ts';
import { curlCommand, keptRootKey } from './development.ts';
import { drainOnSignal, exitOnSignal } from './drain.ts';
import { eventSink } from './event-sink.ts';
import { keepHouse } from './housekeeping.ts';
import { createLogger } from './http/logger.ts';
import { createMetrics } from './http/metrics.ts';
import type { Lifecycle } from './http/routes/probes.ts';
import { openRedis, openStore } from './open-store.ts';
import { createService, type ServiceSettings } from './service.ts';
import { systemClock, systemPause, systemRandom } from './sessions/ambient.ts';
import { RingUnreadable } from './sessions/signing-keys.ts';
import { StartRefused, waitForStore } from './start-up.ts';

const ROOT_KEY_FILE = '.session-mint/root-api-key';
/** In production, how long readiness says no before the port closes, so that load balancers notice. */
const NOTICE_MS = 1_000;
/** 2,000 requests at about 200 µs each are less than half a second of work. */
const LOAD_LIMITS = { maxLoopDelayMs: 1_000, maxInFlight: 2_000 };
/** A body has 10 s to arrive, an answer is made within 2 s, the rest is for the client to read it. */
const EXCHANGE_TIMEOUT_MS = 30_000;

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

function rootKeyOf(config: Config): string {
  return config.settings.ROOT_API_KEY ?? keptRootKey(ROOT_KEY_FILE, systemRandom);
}

function configuredKeys(config: Config, rootKey: string): readonly ConfiguredKey[] {
  const root = { id: 'root', permissions: new Set(PERMISSIONS), scope: {} };
  const metrics = { id: 'metrics', permissions: new Set(['metrics'] as const), scope: {} };
  const { METRICS_API_KEY } = config.settings;
  return [
    { key: rootKey, caller: root },
    ...(METRICS_API_KEY === undefined ? [] : [{ key: METRICS_API_KEY, caller: metrics }]),
  ];
}

/** What the settings say, in the words of the service. */
const serviceSettings = (config: Config, rootKey: string): ServiceSettings => {
  const { settings, policy } = config;
  return {
    secrets: config.secrets.length > 0 ? config.secrets : [systemRandom(32).toString('hex')],
    issuer: settings.ISSUER,
    alg: settings.SIGNING_ALG,
    schedule: {
      jwksMaxAgeSeconds: settings.JWKS_MAX_AGE_SECONDS,
      rotationSeconds: settings.SIGNING_KEY_ROTATION_SECONDS,
    },
    policy,
    requireTypes: settings.REQUIRE_SESSION_TYPES,
    maxSessionsPerUser: settings.MAX_SESSIONS_PER_USER,
    detailsMaxBytes: settings.DETAILS_MAX_BYTES,
    configuredKeys: configuredKeys(config, rootKey),
  };
};

async function start(config: Config): Promise<void> {
  const { settings, production } = config;
  const logger = createLogger(settings.LOG_LEVEL);
  const metrics = createMetrics();
  const lifecycle: Lifecycle = { draining: false };
  const { inspect, counting, ...stores } = openStore(config, logger, metrics);
  const rootKey = rootKeyOf(config);
  const service = createService(stores, serviceSettings(config, rootKey), {
    clock: systemClock,
    randomBytes: systemRandom,
    pause: systemPause,
    emit: eventSink(logger, metrics),
  });
  const { keys, storeClock } = service;
  const stopExiting = exitOnSignal();
  await waitForStore(inspect, logger, systemClock.monotonicMs);
  await waitForStore(keys.synchronize, logger, systemClock.monotonicMs);

  const app = await buildApp({
    ...service,
    store: stores.store,
    issuer: settings.ISSUER,
    rateLimits: { redis: counting, failuresPerMinute: settings.AUTH_FAILURES_PER_MINUTE },
    metrics,
    lifecycle,
    logger,
    newRequestId: randomUUID,
    detailsMaxBytes: settings.DETAILS_MAX_BYTES,
    load: LOAD_LIMITS,
    exchangeTimeoutMs: EXCHANGE_TIMEOUT_MS,
    trustProxy: config.trustProxy,
    docs: config.docs,
  });
  stopExiting();
  const { store } = stores;
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
  const store = openRedis(config.redis, config, logger, createMetrics());
  await waitForStore(store.now, logger, systemClock.monotonicMs);
  const { sessions, parts, ...off } = await store.drift();
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
