// Owns the promises about stored API keys while Redis is full, hangs or dies: whoever may verify and revoke can go on, and no good key is called bad.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  ANSWERED_MS,
  type Answer,
  ask,
  type Caller,
  expectUnavailable,
  newSession,
  type Pair,
  RECOVERED_MS,
  revokeByToken,
  untilGood,
  verify,
} from './service-client.ts';

let redis: RedisServer;
let service: ServiceProcess;
/** The service as the holder of a stored key with a limit far too low calls it. */
let holder: Caller;
let keyId: string;
let pair: Pair;

const keyed = (key: string): Caller => ({
  call: (path, body, method) =>
    fetch(`${service.url}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
});
const makeKey = (permissions: readonly string[], requestsPerMinute?: number): Promise<Answer> =>
  ask(service, '/api-keys', { name: 'backend', permissions, requestsPerMinute });

beforeEach(async () => {
  redis = await startRedis();
  service = await startService({ REDIS_URL: redis.url, AUTH_FAILURES_PER_MINUTE: '2' });
  const { body } = await makeKey(['verify', 'revoke', 'admin'], 1);
  keyId = body['id'] as string;
  holder = keyed(body['key'] as string);
  pair = await newSession(service);
});
afterEach(async () => {
  await service?.stop();
  await redis?.stop();
});

describe('on a full Redis', () => {
  beforeEach(() =>
    withRedis(redis.port, async (client) => {
      await client.set('junk', 'x'.repeat(4_000_000));
      await client.config('SET', 'maxmemory', 4_000_000);
    }),
  );

  it('a stored key verifies and revokes though nobody can count its requests, and can itself be revoked', async () => {
    for (let i = 0; i < 3; i++) {
      expect(await verify(holder, pair)).toMatchObject({ status: 200, body: { valid: true } });
    }
    expect((await revokeByToken(holder, pair)).status).toBe(204);
    expect((await verify(holder, pair)).body).toEqual({ valid: false, reason: 'ended' });
    expect((await ask(service, `/api-keys/${keyId}`, undefined, 'DELETE')).status).toBe(204);
    expect((await verify(holder, pair)).status).toBe(401);
  });

  it('a leaked key can be rotated, and whoever sends wrong keys is refused and not limited', async () => {
    const { status, body } = await ask(service, `/api-keys/${keyId}/rotate`, { overlapSeconds: 0 });
    expect(status).toBe(200);
    for (let i = 0; i < 4; i++) expect((await verify(holder, pair)).status).toBe(401);
    expect((await verify(keyed(body['key'] as string), pair)).status).toBe(200);
  });
});

describe('while Redis hangs or is gone', () => {
  it.each([
    ['hangs', () => redis.freeze(), async () => redis.thaw()],
    ['is dead', () => redis.kill(), () => redis.start()],
  ])(
    'and it %s, a stored key gets an honest 503 in time and never 401 or 429, and /metrics by a key of the configuration goes on',
    async (what, fail, mend) => {
      expect((await verify(holder, pair)).status).toBe(200);
      await fail();
      for (let i = 0; i < 3; i++) {
        expectUnavailable(await verify(holder, pair));
        expectUnavailable(await revokeByToken(holder, pair));
        // By then the key is remembered no more.
        await sleep(i === 1 ? 4_100 : 0);
      }
      const startedMs = performance.now();
      const metrics = await service.call('/metrics');
      expect(metrics.status).toBe(200);
      expect(performance.now() - startedMs).toBeLessThan(ANSWERED_MS);
      await mend();
      // A Redis that was killed kept nothing.
      if (what === 'hangs') await untilGood(() => verify(service, pair), RECOVERED_MS);
    },
  );
});
