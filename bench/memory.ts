// Owns the bytes that a session takes in Redis, record, indexes and all.

import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { lifetimeFrom } from '../src/sessions/rotation.ts';
import { createSessionIds } from '../src/sessions/session-id.ts';
import { createRedisStore } from '../src/stores/redis/redis-store.ts';

const policy = {
  tokenTtlSeconds: 900,
  idleTtlSeconds: 604_800,
  absoluteTtlSeconds: 2_592_000,
  refreshRetrySeconds: 30,
};
const AT_ONCE = 500;

const usedMemory = async (redis: Redis): Promise<number> =>
  Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);

/** Bytes per session with `count` sessions of one tag, `perUser` for each user. Empties the Redis before and after. */
export async function bytesPerSession(
  redis: Redis,
  url: string,
  count: number,
  perUser: number,
): Promise<number> {
  await redis.flushall();
  const store = createRedisStore({
    target: { mode: 'single', url },
    waitReplicas: 0,
    monotonicMs: () => performance.now(),
    observe: () => undefined,
    onTrouble: () => undefined,
  });
  const newSessionId = createSessionIds(randomBytes);
  while (!(await store.now().catch(() => 0)))
    await new Promise((resolve) => setTimeout(resolve, 20));
  const before = await usedMemory(redis);
  const create = async (i: number) => {
    const nowMs = Date.now();
    const user = { product: 'my-app', env: 'prd', userId: `user_${Math.floor(i / perUser)}` };
    const absoluteExpiresAtMs = nowMs + policy.absoluteTtlSeconds * 1000;
    await store.create(
      {
        ...user,
        tag: 'user-session',
        sessionId: newSessionId(user, nowMs),
        details: { username: 'johndoe', email: 'john@example.com' },
        clientId: 'root',
        seed: randomBytes(32),
        revision: randomBytes(12),
        createdAtMs: nowMs,
        absoluteExpiresAtMs,
        generation: 0,
        epoch: 0,
        ...lifetimeFrom(nowMs, absoluteExpiresAtMs, policy),
      },
      perUser,
    );
  };
  for (let done = 0; done < count; done += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - done) }, (_, i) => create(done + i)),
    );
  }
  const bytes = ((await usedMemory(redis)) - before) / count;
  await store.close();
  await redis.flushall();
  return bytes;
}
