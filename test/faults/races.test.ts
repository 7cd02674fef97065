// Owns the promises about calls that race each other on two instances.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  type Answer,
  ask,
  claimsOf,
  expectEnded,
  expectValid,
  newSession,
  type Pair,
  pairOf,
  read,
  refresh,
  revokeByRefreshToken,
  revokeByToken,
  verify,
} from './service-client.ts';

const RACERS = 100;

let redis: RedisServer;
let instances: readonly [ServiceProcess, ServiceProcess];

beforeAll(async () => {
  redis = await startRedis();
  const env = { REDIS_URL: redis.url };
  instances = await Promise.all([startService(env), startService(env)]);
});
afterAll(async () => {
  await Promise.all(instances?.map((instance) => instance.stop()) ?? []);
  await redis?.stop();
});

const either = (turn: number): ServiceProcess => instances[turn % 2 === 0 ? 0 : 1];

const raceToRefresh = (pairs: readonly Pair[]): Promise<readonly Answer[]> =>
  Promise.all(pairs.map((pair, turn) => refresh(either(turn), pair)));

it('two instances that start at the same moment on an empty Redis sign with one ring of keys', async () => {
  const [first, second] = instances;
  const keySets = await Promise.all(instances.map((one) => ask(one, '/.well-known/jwks.json')));
  expect(keySets[0]?.body['keys']).toHaveLength(1);
  expect(keySets[1]?.body).toEqual(keySets[0]?.body);
  await expectValid(second, await newSession(first));
  await expectValid(first, await newSession(second));
});

it('a hundred refreshes of one token at once give one rotation, and everyone the same successor', async () => {
  const session = await newSession(instances[0]);
  // Each round presents what all the racers of the round before have got: were these of different generations, or of two
  // chains, they would not agree again.
  let pairs = Array.from({ length: RACERS }, () => session);
  for (let round = 1; round <= 5; round++) {
    const answers = await raceToRefresh(pairs);
    pairs = answers.map(pairOf);
    const outcomes = answers.map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === 'rotated')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'replayed')).toHaveLength(RACERS - 1);
    expect(new Set(pairs.map((pair) => JSON.stringify(claimsOf(pair)))).size).toBe(1);
    expect((await read(instances[1], session)).body['refreshCount']).toBe(round);
  }
});

it('once a revoke is acknowledged nothing of the session works, whatever refresh it raced', async () => {
  for (let round = 0; round < 20; round++) {
    const session = await newSession(either(round));
    const revoke = round % 4 < 2 ? revokeByToken : revokeByRefreshToken;
    const ended = revoke(either(round + 1), session).then(async ({ status }) => {
      expect(status).toBe(204);
      // While the racing refreshes may still be under way.
      for (const instance of instances) {
        expect((await verify(instance, session)).body).toEqual({ valid: false, reason: 'ended' });
      }
    });
    const [answers] = await Promise.all([raceToRefresh(Array(6).fill(session)), ended]);
    const won = answers.filter(({ status }) => status === 200).map(pairOf);
    const lost = answers.filter(({ status }) => status !== 200);
    for (const answer of lost) {
      expect(answer).toMatchObject({ status: 400, body: { reason: 'ended' } });
    }
    await Promise.all(
      [session, ...won].flatMap((pair) => instances.map((one) => expectEnded(one, pair))),
    );
  }
});
