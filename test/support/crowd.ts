// Owns putting a great many sessions into a Redis at once, through the store itself.

import { randomBytes } from 'node:crypto';
import { lifetimeFrom } from '../../src/sessions/rotation.ts';
import { createSessionIds } from '../../src/sessions/session-id.ts';
import { createRedisStore } from '../../src/stores/redis/redis-store.ts';
import { until } from './redis-client.ts';
import { RETENTION_MS } from './sessions.ts';

const policy = {
  tokenTtlSeconds: 900,
  idleTtlSeconds: 604_800,
  absoluteTtlSeconds: 2_592_000,
  refreshRetrySeconds: 30,
};
const AT_ONCE = 500;
const CONNECTED_MS = 10_000;

/** Creates `count` sessions of one tag, `perUser` for each of the users `user_0`, `user_1` and so on. */
export async function createCrowd(url: string, count: number, perUser: number): Promise<void> {
  const store = createRedisStore({
    target: { mode: 'single', url },
    waitReplicas: 0,
    userRetentionMs: RETENTION_MS,
    monotonicMs: () => performance.now(),
    observe: () => undefined,
    onTrouble: () => undefined,
  });
  const newSessionId = createSessionIds(randomBytes);
  await until('the store answers', CONNECTED_MS, () =>
    store.now().then(
      () => true,
      () => false,
    ),
  );
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
      { perUser },
    );
  };
  for (let done = 0; done < count; done += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, count - done) }, (_, i) => create(done + i)),
    );
  }
  await store.close();
}
