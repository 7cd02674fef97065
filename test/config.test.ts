// Owns the promises of the configuration: every wrong setting named at once, no value shown, production strict.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, type Environment, loadConfig } from '../src/config.ts';
import { PUBLISHED_SECRETS, SECRET_SETTINGS } from '../src/config-schema.ts';

const SECRET = 's'.repeat(32);
const KEY = 'a-root-key-of-enough-characters';
const PRODUCTION: Environment = {
  NODE_ENV: 'production',
  REDIS_URL: 'redis://redis:6379',
  SECRET,
  ROOT_API_KEY: KEY,
  ISSUER: 'https://sessions.example.com',
};

function problemsOf(env: Environment): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const value of Object.values(env)) {
      if (value && value.length > 6 && value !== 'production')
        expect(error.message).not.toContain(value);
    }
    return [...new Set(error.problems.map(({ name }) => name))].sort();
  }
}

it('without any setting the service runs on the memory store with its defaults', () => {
  const config = loadConfig({});
  expect(config).toMatchObject({ redis: undefined, production: false, docs: true, secrets: [] });
  expect(config.settings).toMatchObject({
    PORT: 3000,
    HOST: '127.0.0.1',
    ISSUER: 'http://localhost:3000',
    SIGNING_ALG: 'ES256',
    SIGNING_KEY_ROTATION_SECONDS: 7_776_000,
    JWKS_MAX_AGE_SECONDS: 300,
    TOKEN_TTL_SECONDS: 900,
    IDLE_TTL_SECONDS: 604_800,
    ABSOLUTE_TTL_SECONDS: 2_592_000,
    REFRESH_RETRY_SECONDS: 30,
    MAX_SESSIONS_PER_USER: 10_000,
    DETAILS_MAX_BYTES: 8192,
    MEMORY_MAX_SESSIONS: 1_000_000,
    REDIS_WAIT_REPLICAS: 0,
    LOG_LEVEL: 'info',
  });
});

it('all wrong settings are named at once, and none of their values', () => {
  const env = {
    PORT: 'port-canary',
    NODE_ENV: 'staging-canary',
    SIGNING_ALG: 'HS256-canary',
    SIGNING_KEY_ROTATION_SECONDS: 'never-canary',
    JWKS_MAX_AGE_SECONDS: 'soon-canary',
    TOKEN_TTL_SECONDS: '1e3canary',
    IDLE_TTL_SECONDS: '-55555555',
    ABSOLUTE_TTL_SECONDS: '0x1000000',
    REFRESH_RETRY_SECONDS: '3010101',
    MAX_SESSIONS_PER_USER: 'none-canary',
    DETAILS_MAX_BYTES: '1.5canary',
    MEMORY_MAX_SESSIONS: 'all-canary',
    REDIS_WAIT_REPLICAS: 'two-canary',
    LOG_LEVEL: 'loud-canary',
    DOCS: 'yes-canary',
    REDIS_TLS: 'maybe-canary',
    ALLOW_EVICTION: 'TRUE-canary',
    ISSUER: 'not-an-address-canary',
    SECRET: 'short-canary',
    ROOT_API_KEY: 'key with spaces canary',
    TRUST_PROXY: '10.0.0.0/99,canary',
    REDIS_URL: 'http://canary:secret@host',
  };
  expect(problemsOf(env)).toEqual(Object.keys(env).sort());
});

describe.each(SECRET_SETTINGS)('%s from a file', (name) => {
  const directory = mkdtempSync(join(tmpdir(), 'config-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const file = (content: string) => {
    const path = join(directory, `${name}-${content.length}`);
    writeFileSync(path, content);
    return path;
  };
  const good = name === 'REDIS_URL' ? 'redis://redis:6379' : 'k'.repeat(40);
  const around = name.startsWith('REDIS')
    ? {
        SECRET,
        ...(name === 'REDIS_URL' ? {} : { REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_NAME: 'x' }),
      }
    : {};

  it('is read without its last line break', () => {
    const { settings } = loadConfig({ ...around, [`${name}_FILE`]: file(`${good}\n`) });
    expect(settings[name]).toBe(good);
  });

  it('is refused if empty, unreadable, or given directly too', () => {
    const both = `${name}_FILE`;
    expect(problemsOf({ ...around, [both]: file('\n') })).toContain(both);
    expect(problemsOf({ ...around, [both]: '/nowhere/at/all' })).toContain(both);
    expect(problemsOf({ ...around, [both]: file(good), [name]: good })).toContain(both);
  });

  it('is named once if unreadable: what it would have said is not called missing besides', () => {
    const both = `${name}_FILE`;
    expect(problemsOf({ ...PRODUCTION, [name]: '', [both]: '/nowhere/at/all' })).toEqual([both]);
  });
});

describe('production', () => {
  it('runs with the five settings it needs, and without /docs', () => {
    expect(loadConfig(PRODUCTION)).toMatchObject({ production: true, docs: false });
  });

  it.each(['SECRET', 'ROOT_API_KEY', 'ISSUER', 'REDIS_URL'])('is refused without %s', (name) => {
    expect(problemsOf({ ...PRODUCTION, [name]: '' })).toEqual([name]);
  });

  it('runs on the memory store only if that is allowed', () => {
    const env = { ...PRODUCTION, REDIS_URL: '' };
    expect(problemsOf({ ...env, ALLOW_MEMORY_STORE: 'true' })).toEqual([]);
  });

  it.each(PUBLISHED_SECRETS)('refuses a published value', (published) => {
    expect(problemsOf({ ...PRODUCTION, ROOT_API_KEY: published })).toEqual(['ROOT_API_KEY']);
    expect(problemsOf({ ...PRODUCTION, SECRET: published })).toEqual(['SECRET']);
  });

  it('refuses a published secret among several, a short key, and one key for two purposes', () => {
    const published = PUBLISHED_SECRETS.find((value) => value.length >= 32) ?? '';
    expect(problemsOf({ ...PRODUCTION, SECRET: `${SECRET},${published}` })).toEqual(['SECRET']);
    expect(problemsOf({ ...PRODUCTION, ROOT_API_KEY: 'short-key' })).toEqual(['ROOT_API_KEY']);
    expect(problemsOf({ ...PRODUCTION, METRICS_API_KEY: KEY })).toEqual(['METRICS_API_KEY']);
  });
});

describe('the rotation of signing keys', () => {
  it.each([
    ['0', []],
    ['604799', ['SIGNING_KEY_ROTATION_SECONDS']],
    ['604800', []],
  ])('every %s s in production', (seconds, wrong) => {
    expect(problemsOf({ ...PRODUCTION, SIGNING_KEY_ROTATION_SECONDS: seconds })).toEqual(wrong);
    expect(problemsOf({ SIGNING_KEY_ROTATION_SECONDS: seconds })).toEqual([]);
  });
});

describe('the address of Redis', () => {
  it.each([
    [{ REDIS_URL: 'rediss://u:p@host:1/2' }, 'single'],
    [{ REDIS_CLUSTER_NODES: 'a:1, [::1]:2' }, 'cluster'],
    [{ REDIS_SENTINELS: 'a:1,b:2', REDIS_SENTINEL_NAME: 'main' }, 'sentinel'],
  ])('%j is a %s', (env, mode) => {
    expect(loadConfig({ SECRET, ...env }).redis?.mode).toBe(mode);
  });

  it.each([
    [{ REDIS_URL: 'redis://a', REDIS_CLUSTER_NODES: 'a:1' }, ['REDIS_CLUSTER_NODES']],
    [{ REDIS_CLUSTER_NODES: 'a' }, ['REDIS_CLUSTER_NODES']],
    [{ REDIS_CLUSTER_NODES: 'a:70000' }, ['REDIS_CLUSTER_NODES']],
    [{ REDIS_SENTINELS: 'a:1' }, ['REDIS_SENTINEL_NAME']],
    [{ REDIS_URL: 'redis://a', REDIS_PASSWORD: 'password-canary' }, ['REDIS_PASSWORD']],
    [{ REDIS_URL: 'redis://a', REDIS_TLS: 'true' }, ['REDIS_TLS']],
    [{ TRUST_PROXY: '0.0.0.0/0' }, ['TRUST_PROXY']],
    [{ TRUST_PROXY: '10.0.0.0/8,::/0' }, ['TRUST_PROXY']],
    [{ TRUST_PROXY: '0.0.0.0/00' }, ['TRUST_PROXY']],
    [{ TRUST_PROXY: '::ffff:0:0/96' }, ['TRUST_PROXY']],
    [{ TRUST_PROXY: '0.0.0.0/1,128.0.0.0/1' }, ['TRUST_PROXY']],
    [{ TRUST_PROXY: '::/1,8000::/1' }, ['TRUST_PROXY']],
    [{ TRUST_PROXY: '2000::/3' }, ['TRUST_PROXY']],
    [{ REDIS_WAIT_REPLICAS: '1' }, ['REDIS_WAIT_REPLICAS']],
  ])('%j is refused for %j', (env, names) => {
    expect(problemsOf({ SECRET, ...env })).toEqual(names);
  });

  it('needs a SECRET', () => {
    expect(problemsOf({ REDIS_URL: 'redis://a' })).toEqual(['SECRET']);
  });
});

it('no life is longer than the next', () => {
  expect(problemsOf({ TOKEN_TTL_SECONDS: '20', IDLE_TTL_SECONDS: '10' })).toEqual([
    'TOKEN_TTL_SECONDS',
  ]);
  expect(
    problemsOf({ IDLE_TTL_SECONDS: '20', ABSOLUTE_TTL_SECONDS: '10', TOKEN_TTL_SECONDS: '5' }),
  ).toEqual(['IDLE_TTL_SECONDS']);
});

it('several secrets are several, each long enough', () => {
  expect(loadConfig({ SECRET: `${SECRET}, ${'t'.repeat(40)}` }).secrets).toEqual([
    SECRET,
    't'.repeat(40),
  ]);
  expect(problemsOf({ SECRET: `${SECRET},` })).toEqual(['SECRET']);
});

it('proxies are addresses or ranges', () => {
  const several = '127.0.0.1,10.0.0.0/8,2001:db8::/32,fd00::/8';
  expect(loadConfig({ TRUST_PROXY: several }).trustProxy).toHaveLength(4);
  for (const wrong of ['proxy', '10.0.0.0/x', '::1/200'])
    expect(problemsOf({ TRUST_PROXY: wrong })).toEqual(['TRUST_PROXY']);
});
