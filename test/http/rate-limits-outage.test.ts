// Owns the proof that a Redis that counts and is gone stops nobody, and counts again when it is back.

import { expect, it } from 'vitest';
import { connectImpatiently, type RedisTarget } from '../../src/stores/redis/connect.ts';
import { until } from '../support/redis-client.ts';
import { startRedis } from '../support/redis-server.ts';
import { createTestApp } from '../support/test-app.ts';
import { call, post, START } from './api.ts';

/** An application that counts on this Redis, and a key that may send two requests a minute. */
async function counted(target: RedisTarget) {
  const counting = connectImpatiently(target, () => undefined);
  await until('Redis counts', 5000, () =>
    counting.get('x').then(
      () => true,
      () => false,
    ),
  );
  const { app } = await createTestApp({ counting, failuresPerMinute: 2 });
  const body = { name: 'x', permissions: ['verify', 'revoke'], requestsPerMinute: 2 };
  const { key } = (await post(app, '/api-keys', body)).json();
  const status = async (as: string | null) =>
    (await call(app, 'POST', '/sessions/verify', { key: as, body: { token: 'x' } })).statusCode;
  const close = async () => {
    await app.close();
    counting.disconnect();
  };
  return { app, key, status, close };
}

it('while the Redis that counts is gone, nobody is limited, and afterwards they are again', async () => {
  const server = await startRedis();
  const { app, key, status, close } = await counted({ mode: 'single', url: server.url });
  const { token } = (await post(app, '/sessions', START)).json();
  await server.kill();
  const startedMs = performance.now();
  for (let i = 0; i < 10; i++) expect(await status(key)).toBe(200);
  for (let i = 0; i < 4; i++) expect(await status('wrong')).toBe(401);
  expect((await post(app, '/sessions/revoke', { token }, key)).statusCode).toBe(204);
  expect(performance.now() - startedMs).toBeLessThan(3000);
  await server.start();
  await until('requests are counted again', 5000, async () => (await status(key)) === 429);
  await close();
  await server.stop();
});
