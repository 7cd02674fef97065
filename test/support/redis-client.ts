// Owns how tests and proofs themselves talk to a Redis.

import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** A connection of the test's own to a Redis, for as long as `use` takes. */
export async function withRedis<T>(port: number, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ host: '127.0.0.1', port });
  redis.on('error', () => undefined);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** Waits until `test` holds. */
export async function until(what: string, withinMs: number, test: () => Promise<boolean>) {
  const deadline = performance.now() + withinMs;
  while (!(await test())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}
