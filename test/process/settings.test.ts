// Owns the promise that settings reach what they name.

import { afterEach, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const START = { product: 'p', env: 'e', tag: 't', data: { userId: 'ann' } };
const HOUR_MS = 3_600_000;
const RETRY_WARNING = 'REFRESH_RETRY_SECONDS is more than a third of TOKEN_TTL_SECONDS';

let redis: RedisServer | undefined;
let service: ServiceProcess;
afterEach(async () => {
  await service?.stop();
  await redis?.stop();
  redis = undefined;
});

const statusOf = async (path: string, body?: unknown, method?: string): Promise<number> => {
  const response = await service.call(path, body, method);
  await response.arrayBuffer();
  return response.status;
};

it('REQUIRE_SESSION_TYPES: a tag without a type starts no session', async () => {
  service = await startService({ REQUIRE_SESSION_TYPES: 'true' });
  const refused = await service.call('/sessions', START);
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ errors: [{ pointer: '/tag' }] });
  expect(await statusOf('/session-types/p/t', {}, 'PUT')).toBe(201);
  expect(await statusOf('/sessions', START)).toBe(201);
});

it('USER_RETENTION_DAYS: a user is remembered for so long after its last session, and no longer', async () => {
  redis = await startRedis({ movableClock: true });
  service = await startService({ REDIS_URL: redis.url, USER_RETENTION_DAYS: '2' });
  expect(await statusOf('/sessions', START)).toBe(201);
  expect(await statusOf('/users/p/e/ann/sessions', undefined, 'DELETE')).toBe(200);
  await redis.clock?.advance(47 * HOUR_MS);
  expect(await statusOf('/users/p/e/ann')).toBe(200);
  await redis.clock?.advance(2 * HOUR_MS);
  expect(await statusOf('/users/p/e/ann')).toBe(404);
});

it('REFRESH_RETRY_SECONDS: one that is too long for the tokens is said, a fitting one is not', async () => {
  service = await startService({ REFRESH_RETRY_SECONDS: '30', TOKEN_TTL_SECONDS: '89' });
  expect(service.output()).toContain(RETRY_WARNING);
  await service.stop();
  service = await startService({ REFRESH_RETRY_SECONDS: '30', TOKEN_TTL_SECONDS: '90' });
  expect(service.output()).not.toContain(RETRY_WARNING);
});
