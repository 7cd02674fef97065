// Owns the bytes that a session takes in Redis, record, indexes and all.

import type { Redis } from 'ioredis';
import { createCrowd } from '../test/support/crowd.ts';

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
  const before = await usedMemory(redis);
  await createCrowd(url, count, perUser);
  const bytes = ((await usedMemory(redis)) - before) / count;
  await redis.flushall();
  return bytes;
}
