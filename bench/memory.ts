// Owns the bytes that a session takes in Redis, record, indexes and all.

import type { Redis } from 'ioredis';
import { createCrowd } from '../test/support/crowd.ts';
import { load } from './load.ts';
import { starting } from './scripts.ts';
import type { Server } from './server.ts';

const usedMemory = async (redis: Redis): Promise<number> =>
  Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);

/** Empties the Redis before and after. */
async function bytesOfEach(
  redis: Redis,
  count: number,
  create: () => Promise<unknown>,
): Promise<number> {
  await redis.flushall();
  const before = await usedMemory(redis);
  await create();
  const bytes = ((await usedMemory(redis)) - before) / count;
  await redis.flushall();
  return bytes;
}

/** Bytes per session with `count` sessions of one tag, `perUser` for each user. */
export const bytesPerSession = (
  redis: Redis,
  url: string,
  count: number,
  perUser: number,
): Promise<number> => bytesOfEach(redis, count, () => createCrowd(url, count, perUser));

/** The same through a server, whatever build it is. */
export const bytesPerStartedSession = (
  redis: Redis,
  server: Server,
  count: number,
  perUser: number,
): Promise<number> =>
  bytesOfEach(redis, count, async () =>
    load(server, redis, await starting(perUser)(server), count),
  );
