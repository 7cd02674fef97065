// Owns the promises of the start: the newcomer's curl works, wrong settings and unfit stores are refused at once and by name.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { spawnService, startService, TEST_SECRET } from '../support/service-process.ts';

const run = promisify(execFile);

const endOf = async (env: Record<string, string>, args: string[] = []) => {
  const { exited, output } = await spawnService(env, args);
  const { code } = await exited;
  return { code, output: output() };
};

const production = (redis: RedisServer) => ({
  NODE_ENV: 'production',
  PORT: '0',
  REDIS_URL: redis.url,
  SECRET: TEST_SECRET,
  ROOT_API_KEY: 'a-root-key-of-enough-characters',
  ISSUER: 'https://sessions.example.com',
});

describe('a newcomer', () => {
  it('pastes the printed command and holds two tokens, with no setting at all', async () => {
    const running = await spawnService({ PORT: '0' });
    await expect.poll(running.output, { timeout: 40_000 }).toContain('curl ');
    const command = /^curl .*$/m.exec(running.output())?.[0] ?? '';
    const { stdout } = await run('bash', ['-c', command]);
    const answer = JSON.parse(stdout) as Record<string, string>;
    expect(Object.keys(answer).slice(0, 2)).toEqual(['token', 'refreshToken']);
    expect(answer['token']).toMatch(/^eyJ/);
    expect(answer['refreshToken']).toMatch(/^smr_/);
    running.child.kill('SIGTERM');
    expect(await running.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a wrong configuration', () => {
  it('ends the process at once, every name said and no value shown', async () => {
    const { code, output } = await endOf({
      PORT: 'port-canary',
      SECRET: 'secret-canary',
      NODE_ENV: 'production',
    });
    expect(code).toBe(1);
    for (const name of ['PORT', 'SECRET', 'ROOT_API_KEY', 'ISSUER', 'REDIS_URL']) {
      expect(output).toContain(`${name}: `);
    }
    expect(output).not.toContain('canary');
  });

  it('can be asked about without starting', async () => {
    expect(await endOf({ SECRET: TEST_SECRET }, ['--check-config'])).toMatchObject({ code: 0 });
    expect(await endOf({ SECRET: 'short' }, ['--check-config'])).toMatchObject({ code: 1 });
  });
});

describe('a store that is not fit', () => {
  let redis: RedisServer;
  let evicting: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
    evicting = await startRedis({ extraArgs: ['--maxmemory-policy', 'allkeys-lru'] });
  });
  afterAll(async () => {
    await redis.stop();
    await evicting.stop();
  });

  it('in production: the memory store is refused', async () => {
    const { code, output } = await endOf({ ...production(redis), REDIS_URL: '' });
    expect(code).toBe(1);
    expect(output).toContain('REDIS_URL');
  });

  it('in production: a Redis that evicts is refused, unless that is allowed', async () => {
    const { code, output } = await endOf(production(evicting));
    expect(code).toBe(1);
    expect(output).toContain('allkeys-lru');
    const allowed = await startService({ ...production(evicting), ALLOW_EVICTION: 'true' });
    expect(allowed.output()).toContain('allkeys-lru');
    await allowed.stop();
  });

  it('holding a ring of keys under another SECRET is refused, and says so', async () => {
    const first = await startService({ REDIS_URL: redis.url });
    const { code, output } = await endOf({
      PORT: '0',
      REDIS_URL: redis.url,
      SECRET: 'x'.repeat(40),
    });
    expect(code).toBe(1);
    expect(output).toContain('another SECRET');
    await first.stop();
  });

  it('that is not there yet is waited for', async () => {
    await redis.kill();
    const running = await spawnService({ PORT: '0', REDIS_URL: redis.url, SECRET: TEST_SECRET });
    await expect.poll(running.output, { timeout: 20_000 }).toContain('waiting for the store');
    await redis.start();
    await expect.poll(running.output, { timeout: 10_000 }).toContain('"msg":"listening"');
    running.child.kill('SIGKILL');
    await running.exited;
  });

  it('a signal ends the waiting at once, with code 0', async () => {
    await redis.kill();
    const running = await spawnService({ PORT: '0', REDIS_URL: redis.url, SECRET: TEST_SECRET });
    await expect.poll(running.output, { timeout: 20_000 }).toContain('waiting for the store');
    running.child.kill('SIGTERM');
    expect(await running.exited).toEqual({ code: 0, signal: null });
    await redis.start();
  });
});

it('a port that is taken is named', async () => {
  const first = await startService();
  const { code, output } = await endOf({ PORT: String(first.port) });
  expect(code).toBe(1);
  expect(output).toContain('EADDRINUSE');
  await first.stop();
});
