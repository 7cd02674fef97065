// Owns opening the store that the configuration names, and judging what it says of itself.

import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Metrics } from './http/metrics.ts';
import type { Stores } from './service.ts';
import { systemClock } from './sessions/ambient.ts';
import { judgeRedis, StartRefused } from './start-up.ts';
import { MAX_API_KEYS, MAX_TYPES } from './stores/limits.ts';
import { createMemoryDocuments } from './stores/memory-documents.ts';
import { createMemoryStore } from './stores/memory-store.ts';
import { connectImpatiently, type RedisClient, type RedisTarget } from './stores/redis/connect.ts';
import { createRedisStore, type RedisStore } from './stores/redis/redis-store.ts';

const DAY_MS = 24 * 3600 * 1000;

export interface OpenedStore extends Stores {
  /** Where rate limits are counted for all instances. */
  readonly counting?: RedisClient;
  /** Looks at how the store is set up. Rejects with StartRefused if it must not be used, or with Outage. */
  readonly inspect: () => Promise<void>;
}

const SAY_AGAIN_MS = 60_000;

/** Says each thing that is wrong with the connection once a minute, not at every attempt. */
function warnNowAndThen(logger: Logger): (code: string) => void {
  const saidAtMs = new Map<string, number>();
  return (code) => {
    const nowMs = systemClock.monotonicMs();
    const again = nowMs - (saidAtMs.get(code) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_MS;
    logger[again ? 'debug' : 'warn']({ code }, 'redis connection failed');
    if (!again) saidAtMs.set(code, nowMs);
  };
}

function openMemory({ settings }: Config): OpenedStore {
  return {
    store: createMemoryStore({
      nowMs: systemClock.wallMs,
      maxSessions: settings.MEMORY_MAX_SESSIONS,
      userRetentionMs: settings.USER_RETENTION_DAYS * DAY_MS,
    }),
    typeStore: createMemoryDocuments(MAX_TYPES),
    keyStore: createMemoryDocuments(MAX_API_KEYS),
    inspect: async () => undefined,
  };
}

/** Connects in the background, to Redis and nothing else. */
export function openRedis(
  target: RedisTarget,
  { settings }: Config,
  logger: Logger,
  metrics: Metrics,
): RedisStore {
  return createRedisStore({
    target,
    waitReplicas: settings.REDIS_WAIT_REPLICAS,
    userRetentionMs: settings.USER_RETENTION_DAYS * DAY_MS,
    monotonicMs: systemClock.monotonicMs,
    observe: metrics.observeStore,
    onTrouble: warnNowAndThen(logger),
  });
}

async function inspectRedisStore(store: RedisStore, config: Config, logger: Logger): Promise<void> {
  const facts = await store.inspect();
  const skewMs = systemClock.wallMs() - (await store.now());
  const { refusals, warnings } = judgeRedis(facts, skewMs, {
    production: config.production,
    allowEviction: config.settings.ALLOW_EVICTION,
    waitReplicas: config.settings.REDIS_WAIT_REPLICAS,
  });
  for (const warning of warnings) logger.warn(warning);
  if (refusals.length > 0) throw new StartRefused(refusals.join('\n'));
}

export function openStore(config: Config, logger: Logger, metrics: Metrics): OpenedStore {
  if (config.redis === undefined) return openMemory(config);
  const store = openRedis(config.redis, config, logger, metrics);
  return {
    store,
    typeStore: store.types,
    keyStore: store.apiKeys,
    counting: connectImpatiently(config.redis, () => undefined),
    inspect: () => inspectRedisStore(store, config, logger),
  };
}
