// Owns the list of settings: one schema gives their types, defaults, validation and the generated docs/configuration.md.

import Type from 'typebox';
import { SIGNING_ALGORITHMS } from './sessions/signing-ring.ts';

const seconds = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Integer({ minimum, maximum, default: fallback, description });

const text = (description: string) => Type.Optional(Type.String({ description }));

const flag = (fallback: boolean, description: string) =>
  Type.Boolean({ default: fallback, description });

const choice = <const T extends string>(values: readonly T[], fallback: T, description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], default: fallback, description });

export const DEFAULT_ISSUER = 'http://localhost:3000';

const YEAR_SECONDS = 365 * 24 * 3600;

export const settingsSchema = Type.Object({
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65535,
    default: 3000,
    description: 'Port to listen on; 0 takes any free one.',
  }),
  HOST: Type.String({
    default: '127.0.0.1',
    description: 'Address to listen on. The image sets 0.0.0.0.',
  }),
  NODE_ENV: choice(
    ['development', 'test', 'production'],
    'development',
    'In `production` the service refuses to start with missing or published secrets, keys shorter than 16 characters, a default `ISSUER`, a signing period under a week, the memory store (unless `ALLOW_MEMORY_STORE`) or an evicting Redis (unless `ALLOW_EVICTION`).',
  ),
  REDIS_URL: text(
    '`redis://` or `rediss://` address of one Redis. Without any `REDIS_…` address the embedded memory store is used.',
  ),
  REDIS_CLUSTER_NODES: text('`host:port,…`: some nodes of a Redis Cluster.'),
  REDIS_SENTINELS: text(
    '`host:port,…`: Sentinels that know the primary; needs `REDIS_SENTINEL_NAME`.',
  ),
  REDIS_SENTINEL_NAME: text('Name of the primary that the Sentinels watch.'),
  REDIS_USERNAME: text(
    'User for a Cluster or behind Sentinel; with `REDIS_URL` it belongs into the address.',
  ),
  REDIS_PASSWORD: text(
    'Password for a Cluster or behind Sentinel; with `REDIS_URL` it belongs into the address.',
  ),
  REDIS_SENTINEL_PASSWORD: text('Password of the Sentinels themselves.'),
  REDIS_TLS: flag(
    false,
    'TLS to a Cluster, or to Sentinels and what is behind them; with `REDIS_URL` write `rediss://`.',
  ),
  REDIS_WAIT_REPLICAS: Type.Integer({
    minimum: 0,
    maximum: 10,
    default: 0,
    description: 'Replicas that must acknowledge a write before it counts; fewer is 503.',
  }),
  SECRET: text(
    '32 bytes or more; several separated by commas: the first seals, all open. Required with Redis; generated at each start on the memory store.',
  ),
  ROOT_API_KEY: text(
    'The API key that may do everything. Outside production generated, kept in `.session-mint/root-api-key` and printed.',
  ),
  METRICS_API_KEY: text('An API key that may only read `/metrics`.'),
  ISSUER: Type.String({
    default: DEFAULT_ISSUER,
    description:
      '`iss` of every token: the address under which the service is known, the same on all instances.',
  }),
  SIGNING_ALG: choice(SIGNING_ALGORITHMS, 'ES256', 'Algorithm of new signing keys.'),
  SIGNING_KEY_ROTATION_SECONDS: seconds(
    0,
    10 * YEAR_SECONDS,
    7776000,
    'How long a signing key signs before the next one does; 0 for as long as `SIGNING_ALG` is the same. In production 0, or a week (604800) or more.',
  ),
  JWKS_MAX_AGE_SECONDS: seconds(
    1,
    86400,
    300,
    'How long anyone may keep a copy of the JWKS. A new key signs only a minute after the last copy without it.',
  ),
  TOKEN_TTL_SECONDS: seconds(1, YEAR_SECONDS, 900, 'Life of a token.'),
  IDLE_TTL_SECONDS: seconds(
    1,
    YEAR_SECONDS,
    604800,
    'Life of a refresh token that is not used; at least `TOKEN_TTL_SECONDS`.',
  ),
  ABSOLUTE_TTL_SECONDS: seconds(
    1,
    10 * YEAR_SECONDS,
    2592000,
    'Life of a session however often it is refreshed; at least `IDLE_TTL_SECONDS`.',
  ),
  REFRESH_RETRY_SECONDS: seconds(
    0,
    300,
    30,
    'The retry window: how long a replaced refresh token is answered with the same successor. Never more than a third of the life of a token.',
  ),
  MAX_SESSIONS_PER_USER: Type.Integer({
    minimum: 1,
    maximum: 1000000,
    default: 10000,
    description: 'Live sessions of one user in one product and environment.',
  }),
  DETAILS_MAX_BYTES: Type.Integer({
    minimum: 2,
    maximum: 24576,
    default: 8192,
    description: 'Size of `details` as JSON.',
  }),
  USER_RETENTION_DAYS: Type.Integer({
    minimum: 1,
    maximum: 3650,
    default: 30,
    description: 'How long a user is remembered after its last session has ended.',
  }),
  REQUIRE_SESSION_TYPES: flag(false, 'Sessions start only under tags that have a session type.'),
  MEMORY_MAX_SESSIONS: Type.Integer({
    minimum: 1,
    maximum: 100000000,
    default: 1000000,
    description:
      'Sessions that the memory store holds, and idempotency keys that it remembers; beyond either a start is 503.',
  }),
  AUTH_FAILURES_PER_MINUTE: Type.Integer({
    minimum: 0,
    maximum: 1000000,
    default: 60,
    description:
      'Requests without a valid API key that one address may send in a minute before it gets 429; 0 for no limit.',
  }),
  TRUST_PROXY: text(
    'Addresses or CIDR ranges, separated by commas, of proxies whose `X-Forwarded-For` counts.',
  ),
  LOG_LEVEL: choice(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info',
    'Least level that is logged.',
  ),
  DOCS: Type.Optional(
    Type.Boolean({ description: 'Serves `/docs` and `/openapi.json`. On outside production.' }),
  ),
  ALLOW_MEMORY_STORE: flag(false, 'Allows the memory store in production.'),
  ALLOW_EVICTION: flag(false, 'Allows a Redis in production that may evict live sessions.'),
});

export type Settings = Type.Static<typeof settingsSchema>;
export type SettingName = keyof Settings;

/** Each may also be given as the path of a file that holds it, under its name followed by `_FILE`. */
export const SECRET_SETTINGS: readonly SettingName[] = [
  'SECRET',
  'ROOT_API_KEY',
  'METRICS_API_KEY',
  'REDIS_URL',
  'REDIS_PASSWORD',
  'REDIS_SENTINEL_PASSWORD',
];

/** What docker-compose.yml says for everybody to read; refused in production. */
export const PUBLISHED_SECRETS: readonly string[] = [
  'published-in-docker-compose-never-use-this-secret-in-production',
  'published-in-docker-compose-root-key',
];
