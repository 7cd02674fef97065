// Owns how long a page of a list takes out of few sessions and out of many.

import type { Redis } from 'ioredis';
import { createRedisStore } from '../src/stores/redis/redis-store.ts';
import { createCrowd } from '../test/support/crowd.ts';
import { median } from './median.ts';

const PAGE = 100;
const TIMES = 200;
const DAY_MS = 24 * 3600 * 1000;

/** Median milliseconds of a page of 100 sessions, and of 100 users, with `count` sessions of one tag. Empties the Redis before and after. */
export async function pageMs(
  redis: Redis,
  url: string,
  count: number,
): Promise<{ readonly sessions: number; readonly users: number }> {
  await redis.flushall();
  await createCrowd(url, count, 3);
  const store = createRedisStore({
    target: { mode: 'single', url },
    waitReplicas: 0,
    userRetentionMs: DAY_MS,
    monotonicMs: () => performance.now(),
    observe: () => undefined,
    onTrouble: () => undefined,
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const part = { product: 'my-app', env: 'prd', tag: 'user-session', limit: PAGE };
  const time = async (page: () => Promise<unknown>): Promise<number> => {
    const taken: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      const startedMs = performance.now();
      await page();
      taken.push(performance.now() - startedMs);
    }
    return median(taken);
  };
  // From the middle of the list, as a cursor would have it.
  const after = { bucket: 100, expiresAtMs: 0, sessionId: '' };
  const sessions = await time(() => store.listTag({ ...part, after }));
  const users = await time(() => store.listUsers(part));
  await store.close();
  await redis.flushall();
  return { sessions, users };
}
