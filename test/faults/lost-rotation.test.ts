// Owns the promise about a store that comes back older than it was: who holds a newer genuine refresh token is not logged out.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  claimsOf,
  expectEnded,
  expectValid,
  newSession,
  type Pair,
  pairOf,
  RECOVERED_MS,
  read,
  refresh,
  untilGood,
  verify,
} from './service-client.ts';

let redis: RedisServer;
let service: ServiceProcess;

beforeAll(async () => {
  // It keeps no log, only the snapshots that a test asks for: after a crash it is as it was at the last one.
  redis = await startRedis();
  service = await startService({ REDIS_URL: redis.url });
});
afterAll(async () => {
  await service?.stop();
  await redis?.stop();
});

/** The pairs of a session by generation: as many as a list has, and one more. */
async function rotate(pair: Pair, times: number): Promise<[Pair, ...Pair[]]> {
  const pairs: [Pair, ...Pair[]] = [pair];
  for (let last = pair; pairs.length <= times; pairs.push(last)) {
    const answer = await refresh(service, last);
    expect(answer.outcome).toBe('rotated');
    last = pairOf(answer);
  }
  return pairs;
}

it('a newer refresh token than the store knows goes on, and older ones are judged by it', async () => {
  const [patient, robbed, idle] = await Promise.all([1, 2, 3].map(() => newSession(service)));
  if (!patient || !robbed || !idle) throw new Error('no sessions');
  await withRedis(redis.port, (client) => client.save());
  const patientPairs = await rotate(patient, 2);
  const robbedPairs = await rotate(robbed, 2);
  await redis.kill();
  await redis.start();
  await untilGood(() => verify(service, idle), RECOVERED_MS);
  expect((await read(service, patient)).body['refreshCount']).toBe(0);

  // Nobody is logged out, neither with the tokens that the store knows of nor with the others.
  for (const pair of [idle, ...patientPairs, ...robbedPairs]) await expectValid(service, pair);
  expect((await refresh(service, idle)).outcome).toBe('rotated');

  const newest = patientPairs.at(-1) as Pair;
  const recovered = await refresh(service, newest);
  expect(recovered).toMatchObject({ status: 200, outcome: 'rotated' });
  expect((await read(service, patient)).body['refreshCount']).toBe(3);
  const again = await refresh(service, newest);
  expect(again.outcome).toBe('replayed');
  expect(claimsOf(pairOf(again))).toEqual(claimsOf(pairOf(recovered)));
  expect((await refresh(service, pairOf(recovered))).outcome).toBe('rotated');

  // Two generations old once the newest was used: whoever presents it, the session is not safe any more.
  const carriedOn = pairOf(await refresh(service, robbedPairs.at(-1) as Pair));
  expect(await refresh(service, robbedPairs[1] as Pair)).toMatchObject({
    status: 400,
    body: { code: 'invalid_refresh_token', reason: 'reused' },
  });
  await expectEnded(service, carriedOn);
});
