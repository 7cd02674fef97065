// Owns the rules on settings that a schema cannot say: which belong together, which Redis they name, what production refuses.

import { areAllAddresses, isAddressRange } from './callers/address-range.ts';
import {
  DEFAULT_ISSUER,
  PUBLISHED_SECRETS,
  type SettingName,
  type Settings,
} from './config-schema.ts';
import type { HostPort, RedisTarget } from './stores/redis/connect.ts';

const MIN_SECRET_BYTES = 32;
/** Keys stay for a year after they have signed. */
const MIN_PRODUCTION_ROTATION_SECONDS = 604_800;
const MIN_PRODUCTION_KEY_LENGTH = 16;

export const listOf = (text: string | undefined): string[] =>
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

export type Report = (name: SettingName, problem: string) => void;

export function redisTarget(settings: Settings, report: Report): RedisTarget | undefined {
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
    if (settings.REDIS_TLS && REDIS_URL.startsWith('redis:')) {
      report('REDIS_TLS', 'is said by rediss:// in REDIS_URL');
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

export function judgeSecrets(
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

export function judgeRest(
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
  const proxies = listOf(settings.TRUST_PROXY);
  if (!proxies.every(isAddressRange)) {
    report('TRUST_PROXY', 'must be IP addresses or CIDR ranges, separated by commas');
  } else if (areAllAddresses(proxies)) {
    report('TRUST_PROXY', 'must not be all addresses: whoever connects could name any other');
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
