// Owns the configuration: the environment read once, judged whole, every problem named and no value shown.

import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { Compile } from 'typebox/compile';
import { Settings as TypeBoxSettings } from 'typebox/system';
import {
  DEFAULT_ISSUER,
  PUBLISHED_SECRETS,
  SECRET_SETTINGS,
  type SettingName,
  type Settings,
  settingsSchema,
} from './config-schema.ts';
import type { LifetimePolicy } from './sessions/rotation.ts';
import type { HostPort, RedisTarget } from './stores/redis/connect.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly settings: Settings;
  readonly production: boolean;
  /** Undefined: the memory store. */
  readonly redis: RedisTarget | undefined;
  /** Empty only on the memory store: then one is to be generated. */
  readonly secrets: readonly string[];
  readonly trustProxy: readonly string[];
  readonly docs: boolean;
  readonly policy: LifetimePolicy;
}

export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** Every wrong setting of the environment. Its text names settings, never values. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ name, problem }) => `${name}: ${problem}`).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const MIN_SECRET_BYTES = 32;
/** Keys stay for a year after they have signed. */
const MIN_PRODUCTION_ROTATION_SECONDS = 604_800;
const MIN_PRODUCTION_KEY_LENGTH = 16;
const validator = Compile(settingsSchema);
// TypeBox stops after 8 errors by itself; every wrong setting is to be named.
TypeBoxSettings.Set({ maxErrors: 64 });

/** The text of a setting from the environment or from the file it names; an empty one counts as absent. */
function readText(env: Environment, name: string, problems: ConfigProblem[]): string | undefined {
  const direct = env[name] || undefined;
  const file = SECRET_SETTINGS.some((secret) => secret === name) ? env[`${name}_FILE`] : undefined;
  if (!file) return direct;
  if (direct !== undefined) {
    problems.push({ name: `${name}_FILE`, problem: `cannot be set together with ${name}` });
    return direct;
  }
  try {
    const content = readFileSync(file, 'utf8').trim();
    if (content === '') problems.push({ name: `${name}_FILE`, problem: 'names an empty file' });
    return content || undefined;
  } catch {
    problems.push({ name: `${name}_FILE`, problem: 'names a file that cannot be read' });
    return undefined;
  }
}

/** Text as the type its schema asks for; left as it is where it does not fit, for the validator to refuse. */
function fromText(text: string, type: string): unknown {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

interface SettingSchema {
  readonly type: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

function expectation({ type, enum: values, minimum, maximum }: SettingSchema): string {
  if (values) return `must be one of ${values.join(', ')}`;
  if (type === 'integer') return `must be an integer from ${minimum} to ${maximum}`;
  return type === 'boolean' ? 'must be true or false' : 'must be text';
}

function readSettings(env: Environment, problems: ConfigProblem[]): Settings {
  const schemas = settingsSchema.properties as unknown as Record<string, SettingSchema>;
  const settings: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const given = readText(env, name, problems);
    const value = given === undefined ? schema.default : fromText(given, schema.type);
    if (value !== undefined) settings[name] = value;
  }
  for (const name of new Set(validator.Errors(settings).map((e) => e.instancePath.slice(1)))) {
    const schema = schemas[name];
    if (schema === undefined) continue;
    problems.push({ name, problem: expectation(schema) });
    // The rules below then judge a valid stand-in, and say nothing more of it.
    settings[name] = schema.default;
  }
  return settings as Settings;
}

const listOf = (text: string | undefined): string[] =>
  text === undefined ? [] : text.split(',').map((part) => part.trim());

function parseHostPorts(text: string): HostPort[] | undefined {
  const parsed = listOf(text).map((part) => /^(.+):(\d{1,5})$/.exec(part));
  if (parsed.some((match) => match === null || Number(match[2]) > 65535)) return undefined;
  return parsed.map((match) => ({
    host: (match?.[1] ?? '').replace(/^\[|\]$/g, ''),
    port: Number(match?.[2]),
  }));
}

const isUrl = (text: string, protocols: readonly string[]): boolean =>
  URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== '';

type Report = (name: SettingName, problem: string) => void;

function redisTarget(settings: Settings, report: Report): RedisTarget | undefined {
  const { REDIS_URL, REDIS_CLUSTER_NODES, REDIS_SENTINELS, REDIS_SENTINEL_NAME } = settings;
  const given = (['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS'] as const).filter(
    (name) => settings[name] !== undefined,
  );
  for (const name of given.slice(1)) report(name, `cannot be set together with ${given[0]}`);
  const access = {
    username: settings.REDIS_USERNAME,
    password: settings.REDIS_PASSWORD,
    tls: settings.REDIS_TLS,
  };
  const hostPorts = (name: SettingName, text: string): HostPort[] => {
    const nodes = parseHostPorts(text);
    if (nodes === undefined) report(name, 'must be host:port, several separated by commas');
    return nodes ?? [];
  };
  if (REDIS_URL !== undefined) {
    if (!isUrl(REDIS_URL, ['redis:', 'rediss:'])) {
      report('REDIS_URL', 'must be a redis:// or rediss:// address');
    }
    for (const name of ['REDIS_USERNAME', 'REDIS_PASSWORD'] as const) {
      if (settings[name] !== undefined) report(name, 'belongs into REDIS_URL');
    }
    return { mode: 'single', url: REDIS_URL };
  }
  if (REDIS_CLUSTER_NODES !== undefined) {
    const nodes = hostPorts('REDIS_CLUSTER_NODES', REDIS_CLUSTER_NODES);
    return { mode: 'cluster', nodes, ...access };
  }
  if (REDIS_SENTINELS === undefined) return undefined;
  if (REDIS_SENTINEL_NAME === undefined)
    report('REDIS_SENTINEL_NAME', 'is needed with REDIS_SENTINELS');
  return {
    mode: 'sentinel',
    sentinels: hostPorts('REDIS_SENTINELS', REDIS_SENTINELS),
    name: REDIS_SENTINEL_NAME ?? '',
    sentinelPassword: settings.REDIS_SENTINEL_PASSWORD,
    ...access,
  };
}

function judgeSecrets(
  settings: Settings,
  onRedis: boolean,
  production: boolean,
  report: Report,
): void {
  const { SECRET, ROOT_API_KEY, METRICS_API_KEY } = settings;
  if (SECRET === undefined && (onRedis || production)) {
    report('SECRET', production ? 'is required in production' : 'is required with Redis');
  }
  if (listOf(SECRET).some((secret) => Buffer.byteLength(secret) < MIN_SECRET_BYTES)) {
    report('SECRET', `must be ${MIN_SECRET_BYTES} bytes or more, each if there are several`);
  }
  if (ROOT_API_KEY === undefined && production) report('ROOT_API_KEY', 'is required in production');
  if (METRICS_API_KEY !== undefined && METRICS_API_KEY === ROOT_API_KEY) {
    report('METRICS_API_KEY', 'must differ from ROOT_API_KEY');
  }
  for (const name of ['ROOT_API_KEY', 'METRICS_API_KEY'] as const) {
    const key = settings[name];
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key))
      report(name, 'must be printable ASCII without spaces');
    if (production && key !== undefined && key.length < MIN_PRODUCTION_KEY_LENGTH) {
      report(name, `must be ${MIN_PRODUCTION_KEY_LENGTH} characters or more in production`);
    }
  }
  for (const name of ['SECRET', 'ROOT_API_KEY', 'METRICS_API_KEY'] as const) {
    const published = listOf(settings[name]).some((value) => PUBLISHED_SECRETS.includes(value));
    if (production && published) report(name, 'is a published value, which production refuses');
  }
}

function isAddressRange(text: string): boolean {
  const [address = '', prefix] = text.split('/');
  const family = isIP(address);
  if (family === 0) return false;
  if (prefix === undefined) return true;
  try {
    new BlockList().addSubnet(
      address,
      /^\d+$/.test(prefix) ? Number(prefix) : -1,
      family === 4 ? 'ipv4' : 'ipv6',
    );
    return true;
  } catch {
    return false;
  }
}

function judgeRest(
  settings: Settings,
  onRedis: boolean,
  production: boolean,
  report: Report,
): void {
  if (!isUrl(settings.ISSUER, ['http:', 'https:']))
    report('ISSUER', 'must be an http:// or https:// address');
  if (settings.TOKEN_TTL_SECONDS > settings.IDLE_TTL_SECONDS) {
    report('TOKEN_TTL_SECONDS', 'must not be longer than IDLE_TTL_SECONDS');
  }
  if (settings.IDLE_TTL_SECONDS > settings.ABSOLUTE_TTL_SECONDS) {
    report('IDLE_TTL_SECONDS', 'must not be longer than ABSOLUTE_TTL_SECONDS');
  }
  if (!listOf(settings.TRUST_PROXY).every(isAddressRange)) {
    report('TRUST_PROXY', 'must be IP addresses or CIDR ranges, separated by commas');
  }
  if (settings.REDIS_WAIT_REPLICAS > 0 && !onRedis) report('REDIS_WAIT_REPLICAS', 'needs a Redis');
  if (!production) return;
  const { SIGNING_KEY_ROTATION_SECONDS: rotation } = settings;
  if (rotation > 0 && rotation < MIN_PRODUCTION_ROTATION_SECONDS) {
    report('SIGNING_KEY_ROTATION_SECONDS', 'must be 0, or 604800 (a week) or more, in production');
  }
  if (settings.ISSUER === DEFAULT_ISSUER) report('ISSUER', 'is required in production');
  if (!onRedis && !settings.ALLOW_MEMORY_STORE) {
    report(
      'REDIS_URL',
      'is required in production (or REDIS_CLUSTER_NODES, REDIS_SENTINELS, or ALLOW_MEMORY_STORE=true)',
    );
  }
}

/** Reads and judges the whole environment. Throws ConfigError with every problem at once. */
export function loadConfig(env: Environment): Config {
  const problems: ConfigProblem[] = [];
  const report: Report = (name, problem) => problems.push({ name, problem });
  const settings = readSettings(env, problems);
  const production = settings.NODE_ENV === 'production';
  const redis = redisTarget(settings, report);
  judgeSecrets(settings, redis !== undefined, production, report);
  judgeRest(settings, redis !== undefined, production, report);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    settings,
    production,
    redis,
    secrets: listOf(settings.SECRET),
    trustProxy: listOf(settings.TRUST_PROXY),
    docs: settings.DOCS ?? !production,
    policy: {
      tokenTtlSeconds: settings.TOKEN_TTL_SECONDS,
      idleTtlSeconds: settings.IDLE_TTL_SECONDS,
      absoluteTtlSeconds: settings.ABSOLUTE_TTL_SECONDS,
      refreshRetrySeconds: settings.REFRESH_RETRY_SECONDS,
    },
  };
}

/** `loadConfig` on this process's environment. */
export const loadProcessConfig = (): Config => loadConfig(process.env);
