// Owns the promise that a change of a session type is seen by all instances on one Redis within 5 s.

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';
import {
  createManualClock,
  createTestApp,
  type ManualClock,
  type TestApp,
} from '../support/test-app.ts';
import { call, faultyFields, post, START } from './api.ts';

const BOUND_MS = 5_000;
const ADDRESS = `/session-types/${START.product}/${START.tag}`;
const STRICT = { detailsSchema: { required: ['plan'] } };

let server: RedisServer;
let stores: readonly RedisStore[];
let clock: ManualClock;
let one: TestApp;
let two: TestApp;
beforeAll(async () => {
  server = await startRedis();
  const target = { mode: 'single', url: server.url } as const;
  const [first, second] = await Promise.all([openRedisStore(target), openRedisStore(target)]);
  stores = [first, second];
  clock = createManualClock();
  one = await createTestApp({ clock, store: first, typeStore: first.types });
  two = await createTestApp({ clock, store: second, typeStore: second.types });
});
afterAll(async () => {
  await Promise.all([one.app.close(), two.app.close()]);
  await Promise.all(stores.map((store) => store.close()));
  await server.stop();
});

const startsAt = async ({ app }: TestApp): Promise<boolean> => {
  const answer = await post(app, '/sessions', START);
  if (answer.statusCode === 201) return true;
  expect(faultyFields(answer)).toEqual(['/data/details/plan']);
  return false;
};

it('a change is in force where it was made at once, and everywhere within 5 s', async () => {
  expect(await Promise.all([startsAt(one), startsAt(two)])).toEqual([true, true]);
  expect((await call(one.app, 'PUT', ADDRESS, { body: STRICT })).statusCode).toBe(201);
  expect(await startsAt(one)).toBe(false);
  clock.advance(BOUND_MS);
  expect(await startsAt(two)).toBe(false);

  expect((await call(two.app, 'DELETE', ADDRESS)).statusCode).toBe(204);
  expect(await startsAt(two)).toBe(true);
  clock.advance(BOUND_MS);
  expect(await startsAt(one)).toBe(true);
});

it('an instance in use asks again by itself before the bound, and none of its starts waits for it', async () => {
  await startsAt(two);
  await call(one.app, 'PUT', ADDRESS, { body: STRICT });
  clock.advance(2_500);
  // Answered by what is known, which is young enough; the question is asked beside it.
  expect(await startsAt(two)).toBe(true);
  await expect.poll(() => startsAt(two), { timeout: 2_000 }).toBe(false);
});

it('instances that change one type at once agree on what came last', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      call([one, two][i % 2]?.app ?? one.app, 'PUT', ADDRESS, { body: { name: `n${i}` } }),
    ),
  );
  // Unconditional writers of one moment all come through, or are told to try again.
  expect(new Set(answers.map(({ statusCode }) => statusCode))).toContain(200);
  const [a, b] = await Promise.all([one, two].map(({ app }) => call(app, 'GET', ADDRESS)));
  expect(a?.json()).toEqual(b?.json());
  expect(a?.headers['etag']).toBe(b?.headers['etag']);
});
