import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, type ConfigProblem, type Environment, loadConfig } from '../../src/config.ts';
import { PUBLISHED_SECRETS } from '../../src/config-schema.ts';

interface Service {
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly unknown[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const topLevel = (name: string): string =>
  readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

const compose = parse(topLevel('docker-compose.yml')) as ComposeFile;

function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

const environment = service('session-mint').environment ?? {};

function problemsOf(env: Environment): readonly ConfigProblem[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const inProduction = {
  ...environment,
  NODE_ENV: 'production',
  ISSUER: 'https://sessions.example.com',
};
const goodSecret = 's'.repeat(32);
const goodKey = 'k'.repeat(32);

describe('the settings in docker-compose.yml', () => {
  it('are enough to start in development, on the Redis beside it', () => {
    const config = loadConfig(environment);
    expect(config.production).toBe(false);
    expect(config.redis).toEqual({ mode: 'single', url: 'redis://redis:6379' });
    expect(Object.keys(compose.services)).toContain('redis');
  });

  it('publish exactly the secrets that the product knows as published', () => {
    expect([environment['SECRET'], environment['ROOT_API_KEY']]).toEqual(PUBLISHED_SECRETS);
  });

  it('are refused in production for both secrets, by name and without the values', () => {
    const problems = problemsOf(inProduction);
    expect(problems.map(({ name }) => name)).toEqual(['SECRET', 'ROOT_API_KEY']);
    const text = new ConfigError(problems).message;
    for (const value of PUBLISHED_SECRETS) expect(text).not.toContain(value);
  });

  it('are refused in production for each secret alone, also among others', () => {
    const names = (env: Environment) => problemsOf(env).map(({ name }) => name);
    expect(names({ ...inProduction, SECRET: goodSecret })).toEqual(['ROOT_API_KEY']);
    expect(names({ ...inProduction, ROOT_API_KEY: goodKey })).toEqual(['SECRET']);
    const rotated = `${goodSecret},${environment['SECRET']}`;
    expect(names({ ...inProduction, SECRET: rotated, ROOT_API_KEY: goodKey })).toEqual(['SECRET']);
    expect(names({ ...inProduction, SECRET: goodSecret, ROOT_API_KEY: goodKey })).toEqual([]);
  });
});

describe('the services in docker-compose.yml', () => {
  it('are published on the loopback address only, and Redis not at all', () => {
    expect(service('session-mint').ports).toEqual(['127.0.0.1:3000:3000']);
    for (const [name, { ports }] of Object.entries(compose.services)) {
      if (name !== 'session-mint') expect(ports, name).toBeUndefined();
    }
  });

  it.each(Object.keys(compose.services))('%s cannot write to its image nor gain rights', (name) => {
    const { read_only, cap_drop, security_opt } = service(name);
    expect(read_only).toBe(true);
    expect(cap_drop).toEqual(['ALL']);
    expect(security_opt).toContain('no-new-privileges:true');
  });

  it('keep sessions: Redis appends to a file in a named volume and never evicts', () => {
    const { command = [], volumes = [] } = service('redis');
    const option = (name: string) => command[command.indexOf(name) + 1];
    expect(command[0]).toBe('redis-server');
    expect(option('--appendonly')).toBe('yes');
    expect(option('--appendfsync')).toBe('everysec');
    expect(option('--maxmemory-policy')).toBe('noeviction');
    expect(option('--maxmemory')).toMatch(/^[1-9]\d*[mg]b$/);
    expect(volumes).toEqual(['redis-data:/data']);
    expect(Object.keys(compose.volumes)).toEqual(['redis-data']);
  });

  it.each(Object.keys(compose.services))('%s says when it is healthy', (name) => {
    const test = service(name).healthcheck?.test ?? [];
    expect(test[0]).toMatch(/^CMD(-SHELL)?$/);
    // An unquoted colon in YAML makes a mapping of a command.
    expect(test.map((word) => typeof word)).toEqual(test.map(() => 'string'));
  });

  it('have the time to drain', () => {
    // The product cuts what is left and exits after 9 s.
    expect(Number.parseInt(service('session-mint').stop_grace_period ?? '', 10)).toBeGreaterThan(9);
  });
});

describe('the Dockerfile', () => {
  it('starts with the thread pool of `npm start`', () => {
    const { scripts } = JSON.parse(topLevel('package.json')) as { scripts: { start: string } };
    const size = /UV_THREADPOOL_SIZE=\d+/;
    expect(size.exec(topLevel('Dockerfile'))?.[0]).toBe(size.exec(scripts.start)?.[0]);
  });
});
