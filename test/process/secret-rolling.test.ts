// Owns the promise that SECRET is rolled in three steps without refusing a single good token, instances mixed at each of them.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';

const OLD = 'old-secret-of-at-least-32-bytes-long';
const NEW = 'new-secret-of-at-least-32-bytes-long';
const STEPS = [OLD, `${OLD},${NEW}`, `${NEW},${OLD}`];

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: true });
});
afterAll(() => redis.stop());

interface Held {
  token: string;
  refreshToken: string;
}

const START = { product: 'p', env: 'e', tag: 't', data: { userId: 'u' } };

async function ask<T>(
  service: ServiceProcess,
  path: string,
  body: unknown,
  status: number,
): Promise<T> {
  const response = await service.call(path, body);
  const text = await response.text();
  expect([response.status, text]).toEqual([status, text]);
  return JSON.parse(text) as T;
}

/** A life's worth of calls for every session so far, each refreshed and verified on alternating instances, and a new one on each. */
async function traffic(instances: readonly ServiceProcess[], held: Held[]): Promise<void> {
  for (const [i, one] of held.entries()) {
    const [first, second] = i % 2 ? [instances[0], instances[1]] : [instances[1], instances[0]];
    if (!first || !second) throw new Error('two instances are needed');
    expect(await ask(second, '/sessions/verify', { token: one.token }, 200)).toMatchObject({
      valid: true,
    });
    held[i] = await ask<Held>(first, '/sessions/refresh', { refreshToken: one.refreshToken }, 200);
    expect(await ask(second, '/sessions/verify', { token: held[i]?.token }, 200)).toMatchObject({
      valid: true,
    });
  }
  for (const instance of instances) held.push(await ask<Held>(instance, '/sessions', START, 201));
}

it('no good token is ever refused while SECRET is rolled', async () => {
  const held: Held[] = [];
  const start = (secret: string | undefined) =>
    startService({ REDIS_URL: redis.url, SECRET: secret ?? '' });
  let instances = [await start(STEPS[0]), await start(STEPS[0])];
  for (const next of STEPS) {
    for (const turn of [0, 1]) {
      await instances[turn]?.stop();
      instances = instances.with(turn, await start(next));
      await traffic(instances, held);
    }
  }
  // A last refresh under the new secret stands for the idle time that must pass before the old one goes.
  for (const turn of [0, 1]) {
    await instances[turn]?.stop();
    instances = instances.with(turn, await start(NEW));
    await traffic(instances, held);
  }
  for (const instance of instances) await instance.stop();
});
