// Owns the promise that the permissions in Redis that docs/operations.md names are enough for everything the service does.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import {
  type ServiceProcess,
  spawnService,
  startService,
  TEST_ROOT_KEY,
  TEST_SECRET,
} from '../support/service-process.ts';

/** The words of the documented command after its name. */
function documentedUser(): string[] {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [, block = ''] = /```\n(ACL SETUSER session-mint [^`]*)```/.exec(text) ?? [];
  return block.replaceAll('\\\n', ' ').trim().split(/\s+/).slice(1);
}

let redis: RedisServer;
let service: ServiceProcess;
let url: string;
beforeAll(async () => {
  redis = await startRedis({ appendonly: true });
  await withRedis(redis.port, (client) => client.call('ACL', ...documentedUser()));
  url = `redis://session-mint:password@127.0.0.1:${redis.port}`;
  service = await startService({ REDIS_URL: url });
});
afterAll(async () => {
  await service?.stop();
  await redis?.stop();
});

const PLACE = { product: 'my-app', env: 'prd', tag: 'user-session' };
const DATA = { data: { userId: 'ann', details: { plan: 'pro' } } };

/** Sends a request, which must succeed, and answers its body. */
async function ask(path: string, body?: unknown, method?: string, key?: string) {
  const verb = method ?? (body === undefined ? 'GET' : 'POST');
  const response =
    key === undefined
      ? await service.call(path, body, verb)
      : await fetch(service.url + path, {
          method: verb,
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
  const text = await response.text();
  expect(response.status, `${verb} ${path}: ${text}`).toBeLessThan(300);
  return text === '' ? {} : JSON.parse(text);
}

it('a user of Redis with the documented permissions can do everything there is', async () => {
  await ask('/readyz');
  await ask(
    '/session-types/my-app/user-session',
    { maxSessionsPerUser: 2, onLimit: 'evict_oldest' },
    'PUT',
  );
  await ask('/session-types/my-app');
  const { key, id } = await ask('/api-keys', {
    name: 'all',
    permissions: ['issue', 'refresh', 'verify', 'revoke', 'read'],
    requestsPerMinute: 1000,
  });
  const starts = [];
  for (let i = 0; i < 4; i++)
    starts.push(await ask('/sessions', { ...PLACE, ...DATA }, 'POST', key));
  const pair = starts[3];
  const next = await ask('/sessions/refresh', { refreshToken: pair.refreshToken }, 'POST', key);
  expect(await ask('/sessions/verify', { token: next.token }, 'POST', key)).toMatchObject({
    valid: true,
  });
  const address = `/sessions/my-app/prd/user-session/${pair.sessionId}`;
  await ask(address);
  await ask('/sessions/my-app/prd/user-session');
  await ask('/sessions/my-app/prd/user-session?userId=ann');
  await ask('/users/my-app/prd');
  await ask('/users/my-app/prd/ann');
  await ask('/stats/my-app/prd');
  await ask('/sessions/revoke', { token: next.token });
  await ask(address, undefined, 'DELETE');
  await ask('/users/my-app/prd/ann/sessions', undefined, 'DELETE');
  await ask('/users/my-app/prd/ann', undefined, 'DELETE');
  await ask(`/api-keys/${id}/rotate`, { overlapSeconds: 60 });
  await ask('/api-keys');
  await ask(`/api-keys/${id}`, undefined, 'DELETE');
  await ask('/session-types/my-app/user-session', undefined, 'DELETE');
  expect(service.output()).not.toContain('NOPERM');
});

it('requests are counted with these permissions, and idempotent starts remembered', async () => {
  const { key } = await ask('/api-keys', {
    name: 'x',
    permissions: ['issue'],
    requestsPerMinute: 3,
  });
  const start = () =>
    fetch(`${service.url}/sessions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'idempotency-key': 'the-same-start-again-and-again',
      },
      body: JSON.stringify({ ...PLACE, ...DATA }),
    });
  const answers = [await start(), await start()];
  expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  const pairs = (await Promise.all(answers.map((each) => each.json()))) as { sessionId: string }[];
  expect(new Set(pairs.map(({ sessionId }) => sessionId)).size).toBe(1);
  expect(answers.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual(['2', '1']);
});

it('what is kept can be recounted with these permissions', async () => {
  await ask('/sessions', { ...PLACE, ...DATA });
  const env = { REDIS_URL: url, SECRET: TEST_SECRET, ROOT_API_KEY: TEST_ROOT_KEY };
  const run = await spawnService(env, ['--report-drift']);
  expect(await run.exited, run.output()).toMatchObject({ code: 0 });
});
