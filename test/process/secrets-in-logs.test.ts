// Owns the promise that no token, key, secret or detail is ever written anywhere: not at level trace, not in errors, metrics or commands to Redis.

import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { startRedis } from '../support/redis-server.ts';
import { startService } from '../support/service-process.ts';

const CANARY = {
  root: 'canary-root-key-4f1c9a7e2b8d6035',
  metrics: 'canary-metrics-key-91b3d57f02c8e6a4',
  secret: 'canary-secret-7d20e9f4b6a1835c-0123456789',
  password: 'canary-password-a6c4e2098b7d5f13',
  detail: 'canary-detail-58d1f3b7092c6e4a',
};
const WINDOW = 16;

/** The text as it might have been written down: as it is, and re-encoded. */
const spellings = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString('base64'),
  Buffer.from(secret).toString('base64url'),
  Buffer.from(secret).toString('hex'),
  encodeURIComponent(secret),
];

const windows = (secret: string): string[] =>
  Array.from({ length: Math.max(1, secret.length - WINDOW + 1) }, (_, i) =>
    secret.slice(i, i + WINDOW),
  );

function expectAbsent(where: string, haystack: string, secrets: Record<string, string>): void {
  for (const [name, secret] of Object.entries(secrets)) {
    const found = [...spellings(secret), ...windows(secret)].find((part) =>
      haystack.includes(part),
    );
    expect(found, `${name} in ${where}`).toBeUndefined();
  }
}

it('no secret is written anywhere, whatever happens', async () => {
  const redis = await startRedis({ password: CANARY.password });
  const service = await startService({
    NODE_ENV: 'production',
    ISSUER: 'https://sessions.example.com',
    LOG_LEVEL: 'trace',
    REDIS_URL: redis.url.includes('@')
      ? redis.url
      : redis.url.replace('redis://', `redis://:${CANARY.password}@`),
    SECRET: CANARY.secret,
    ROOT_API_KEY: CANARY.root,
    METRICS_API_KEY: CANARY.metrics,
  });
  const direct = new Redis({
    port: redis.port,
    password: CANARY.password,
    disableClientInfo: true,
  });
  const monitor = await direct.monitor();
  let commands = '';
  monitor.on('monitor', (_time: string, args: unknown[]) => {
    commands += `${args.map(String).join(' ')}\n`;
  });

  let answers = '';
  const ask = async (path: string, body?: unknown, method?: string) => {
    const response = await service.call(path, body, method);
    const text = await response.text();
    if (!response.ok) answers += text;
    return text;
  };
  const start = {
    product: 'p',
    env: 'e',
    tag: 't',
    data: { userId: 'u', details: { note: CANARY.detail } },
  };
  const first = JSON.parse(await ask('/sessions', start)) as Record<string, string>;
  const second = JSON.parse(
    await ask('/sessions/refresh', { refreshToken: first['refreshToken'] }),
  ) as Record<string, string>;
  const { token = '', refreshToken = '', sessionId = '' } = second;
  const tokens = {
    'first token': first['token'] ?? '',
    'first refresh token': first['refreshToken'] ?? '',
    token,
    'refresh token': refreshToken,
  };
  await ask('/sessions/verify', { token });
  await ask('/sessions/verify', { token: `${token}x`, note: CANARY.detail });
  await ask(`/sessions/p/e/t/${sessionId}`);
  await ask('/sessions/p/e/t');
  await ask(`/sessions/p/e/t?cursor=${refreshToken}`);
  await ask(`/sessions/p/e/t/${refreshToken.slice(0, 60)}`);
  await ask('/sessions', { ...start, [CANARY.detail.repeat(20)]: 1 });
  await ask('/sessions', { ...start, data: { ...start.data, details: CANARY.detail } });
  await ask('/sessions/refresh', { refreshToken: `${refreshToken}x` });
  await ask('/sessions/revoke', { token: `${token}x` });
  const metrics = await (
    await fetch(`${service.url}/metrics`, {
      headers: { authorization: `Bearer ${CANARY.metrics}` },
    })
  ).text();
  await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${CANARY.root}x` } });
  await expect.poll(() => commands).toContain(sessionId);
  monitor.disconnect();
  direct.disconnect();
  await redis.kill();
  await ask('/sessions', start);
  await ask('/sessions/refresh', { refreshToken });
  await ask('/sessions/revoke', { refreshToken });
  service.kill('SIGTERM');
  await service.exited;

  const { detail, ...keys } = CANARY;
  expectAbsent('the log', service.output(), { ...CANARY, ...tokens });
  expectAbsent('errors', answers.replaceAll(detail.repeat(20), ''), { ...keys, ...tokens });
  expectAbsent('metrics', metrics, { ...CANARY, ...tokens });
  // Details are what the store is for; nothing else of these ever reaches it.
  expectAbsent('commands to Redis', commands, {
    root: keys.root,
    metrics: keys.metrics,
    secret: keys.secret,
    ...tokens,
  });
  // The search does find what is there.
  expect(service.output()).toContain('"msg":"stopped"');
  expect(commands).toContain(detail);
  await redis.stop();
});
