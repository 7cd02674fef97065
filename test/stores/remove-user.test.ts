// Owns the promise that to end the sessions of a user is to end all that were live before, however many there are and whatever moves among
// them while they are looked for.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Session } from '../../src/sessions/session.ts';
import type { UserRemoval } from '../../src/sessions/session-store.ts';
import type { RedisTarget } from '../../src/stores/redis/connect.ts';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { removeUser } from '../../src/stores/redis/remove-user.ts';
import type { ScriptRunner } from '../../src/stores/redis/run-script.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore, openScriptRunner } from '../support/redis-store-under-test.ts';
import { RETENTION_MS, rewritten, sampleSession, sibling } from '../support/sessions.ts';

/** More than are read at once. */
const CROWD = 2_200;
const TOGETHER = 100;
const MANY = { perUser: 10_000 };

let redis: RedisServer;
let store: RedisStore;
let runner: ScriptRunner;
beforeAll(async () => {
  redis = await startRedis();
  const target: RedisTarget = { mode: 'single', url: redis.url };
  store = await openRedisStore(target);
  runner = await openScriptRunner(target);
});
afterAll(async () => {
  runner.close();
  await store.close();
  await redis.stop();
});

let crowd: readonly Session[];
let last: Session;
let user: UserRemoval;
let userNumber = 0;
/** A crowd of one tag, and the session that ends after all of them, under a tag of its own. */
beforeEach(async () => {
  const createdAtMs = await store.now();
  const first = sampleSession({ createdAtMs, userId: `user_${userNumber++}` });
  crowd = Array.from({ length: CROWD }, (_, i) =>
    sibling(first, { expiresAtMs: createdAtMs + 3_600_000 + i }),
  );
  last = sibling(first, { tag: 'rare', expiresAtMs: createdAtMs + 7_200_000 });
  for (let i = 0; i < CROWD; i += TOGETHER) {
    await Promise.all(crowd.slice(i, i + TOGETHER).map((each) => store.create(each, MANY)));
  }
  await store.create(last, MANY);
  const { product, env, userId } = first;
  user = { product, env, userId };
});

/** The last session becomes the first to end, right after the first slice was read: whoever reads on does not meet it. */
function shortenedMeanwhile(): ScriptRunner {
  let slices = 0;
  return {
    ...runner,
    async run(name, ...rest) {
      const reply = await runner.run(name, ...rest);
      if (name === 'names' && ++slices === 1) {
        const shorter = rewritten(last, { expiresAtMs: last.createdAtMs + 60_000 });
        expect(await store.replace(last, shorter)).toBe('replaced');
      }
      return reply;
    },
  };
}
const isAlive = async (session: Session) => (await store.read(session)).session !== undefined;

it('the newest of thousands, shortened meanwhile, ends with them', async () => {
  expect(await removeUser(shortenedMeanwhile(), RETENTION_MS, user)).toBe(CROWD + 1);
  expect(await isAlive(last)).toBe(false);
  expect((await store.listUser({ ...user, limit: 1 })).sessions).toEqual([]);
});

it('the only one of its tag, shortened meanwhile, ends, and the thousands of another tag go on', async () => {
  expect(await removeUser(shortenedMeanwhile(), RETENTION_MS, { ...user, tag: 'rare' })).toBe(1);
  expect(await isAlive(last)).toBe(false);
  expect(await isAlive(crowd[0] as Session)).toBe(true);
  expect((await store.listUser({ ...user, limit: CROWD + 1 })).sessions).toHaveLength(CROWD);
});

it('all but one of thousands end', async () => {
  const except = (crowd[7] as Session).sessionId;
  expect(await removeUser(shortenedMeanwhile(), RETENTION_MS, { ...user, except })).toBe(CROWD);
  const { sessions } = await store.listUser({ ...user, limit: 10 });
  expect(sessions.map(({ sessionId }) => sessionId)).toEqual([except]);
});
