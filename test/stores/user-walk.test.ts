// Owns the promise that a walk over the users of a bucket skips nobody when forgotten ones are dropped beside it.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { bucketOf, userDigest } from '../../src/sessions/session-id.ts';
import {
  connectRedis,
  type RedisClient,
  type RedisTarget,
} from '../../src/stores/redis/connect.ts';
import { readUserBucket } from '../../src/stores/redis/indexes.ts';
import { partKeys } from '../../src/stores/redis/keys.ts';
import type { ScriptRunner } from '../../src/stores/redis/run-script.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openScriptRunner, openStoreUnderTest } from '../support/redis-store-under-test.ts';
import { bucketMate, sampleSession } from '../support/sessions.ts';
import type { StoreUnderTest } from './store-conformance.ts';

const FORGOTTEN = 39;
const LIVE = 3;
const DROPPED = 32;

let server: RedisServer;
let opened: StoreUnderTest;
let client: RedisClient;
let runner: ScriptRunner;
beforeAll(async () => {
  server = await startRedis({ movableClock: true });
  const target: RedisTarget = { mode: 'single', url: server.url };
  opened = await openStoreUnderTest(target, [server], server.clock, () => server.stop());
  client = connectRedis(target, () => undefined);
  runner = await openScriptRunner(target);
});
afterAll(async () => {
  runner.close();
  client.disconnect();
  await opened.close();
});

it('dropped right before the slice in which the first kept ones stand', async () => {
  const createdAtMs = await opened.store.now();
  const first = sampleSession({ createdAtMs });
  const place = { product: first.product, env: first.env };
  const bucket = userDigest(first).charCodeAt(0);
  for (let i = 0; i < FORGOTTEN + LIVE; i++) {
    const lifeMs = i < FORGOTTEN ? 1_000 + i : 3_600_000 + i;
    const userId = bucketMate(first, `user${i}_`);
    const one = sampleSession({ createdAtMs, userId, expiresAtMs: createdAtMs + lifeMs });
    await opened.store.create(one, { perUser: 1 });
  }
  await opened.advance(5_000);
  const [users] = partKeys(place, bucketOf(first), '');
  const count = 2;
  let slices = 0;
  const late: ScriptRunner = {
    ...runner,
    async run(name, ...rest) {
      // A slice is one entry longer than what is asked for.
      if (name === 'userSlice' && slices++ === FORGOTTEN / (count + 1)) {
        await client.zremrangebyrank(users, 0, DROPPED - 1);
      }
      return runner.run(name, ...rest);
    },
  };
  const found = await readUserBucket(late, place, 1_000, bucket, undefined, count);
  expect(slices).toBeGreaterThan(FORGOTTEN / (count + 1));
  expect(found).toHaveLength(count);
});
