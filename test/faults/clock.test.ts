// Owns the promise about clocks: the store's time counts, however far this machine's is from it and wherever it jumps.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  claimsOf,
  expectValid,
  newSession,
  type Pair,
  pairOf,
  read,
  refresh,
  verify,
} from './service-client.ts';

const HOUR_MS = 3_600_000;
const TOKEN_TTL_SECONDS = 900;
/** The store's clock stands still in these tests, the service's runs: so far apart they may drift until the next look. */
const DRIFT_SECONDS = 10;

let redis: RedisServer;
let service: ServiceProcess;

beforeAll(async () => {
  redis = await startRedis({ movableClock: true });
  await redis.clock?.advance(-5 * HOUR_MS);
  service = await startService({ REDIS_URL: redis.url });
});
afterAll(async () => {
  await service?.stop();
  await redis?.stop();
});

const storeSeconds = (): number => (redis.clock?.nowMs() ?? Number.NaN) / 1000;

function expectStoreTime(pair: Pair): void {
  const { iat, exp } = claimsOf(pair);
  expect(Math.abs(iat - storeSeconds())).toBeLessThan(DRIFT_SECONDS);
  expect(exp - iat).toBe(TOKEN_TTL_SECONDS);
}

it.each<[string, number]>([
  ['hours behind', 0],
  ['put forward by an hour', 1],
  ['set back by two hours', -2],
  ['put forward by eight hours, far ahead of the service', 8],
])(
  'with the clock of the store %s sessions live by its time and nobody is logged out',
  async (_, hours) => {
    const old = await newSession(service);
    expectStoreTime(old);
    await redis.clock?.advance(hours * HOUR_MS);

    // Judged by the store's time from the first call on.
    const expected = hours > 0 ? { valid: false, reason: 'expired' } : { valid: true };
    expect((await verify(service, old)).body).toMatchObject(expected);
    const rotated = await refresh(service, old);
    expect(rotated.outcome).toBe('rotated');
    const next = pairOf(rotated);
    expectStoreTime(next);
    await expectValid(service, next);
    const replayed = await refresh(service, old);
    expect(replayed.outcome).toBe('replayed');
    expect(claimsOf(pairOf(replayed))).toEqual(claimsOf(next));
    expect((await refresh(service, next)).outcome).toBe('rotated');

    const fresh = await newSession(service);
    expectStoreTime(fresh);
    await expectValid(service, fresh);
    const createdAt = String((await read(service, fresh)).body['createdAt']);
    expect(Math.abs(Date.parse(createdAt) / 1000 - storeSeconds())).toBeLessThan(DRIFT_SECONDS);
  },
);

it('a token ends by the time of the store, not of the service', async () => {
  const pair = await newSession(service);
  await redis.clock?.advance((TOKEN_TTL_SECONDS - DRIFT_SECONDS) * 1000);
  await expectValid(service, pair);
  await redis.clock?.advance(2 * DRIFT_SECONDS * 1000);
  expect((await verify(service, pair)).body).toEqual({ valid: false, reason: 'expired' });
});
