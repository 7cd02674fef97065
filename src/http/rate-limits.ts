// Owns the limits on how often: requests of one API key, refused keys from one address. A limiter that cannot count lets everybody through.

import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { withDeadline } from '../sessions/deadline.ts';
import { Outage } from '../sessions/errors.ts';
import type { OnRefusedKey } from './caller.ts';
import { ProblemError } from './problem.ts';

export interface RateLimitOptions {
  /** A connection to the Redis that all instances share, for counting alone; absent: each instance counts for itself. */
  readonly redis?: unknown;
  /** Refused keys from one address; 0 for no limit. */
  readonly failuresPerMinute: number;
}

export interface RateLimits {
  /** Counts a request whose key was refused; throws `rate_limited` when its address has sent too many. */
  readonly onRefusedKey: OnRefusedKey;
  /** Counts a request of a key that has a limit; throws `rate_limited` beyond it. */
  readonly limitCaller: onRequestHookHandler;
}

const MINUTE_MS = 60_000;
/** Whatever the connection does meanwhile: a Cluster asks again around a node that hangs, for half a second when measured. */
const COUNTED_WITHIN_MS = 100;
/** Addresses and keys that an instance counts for itself at most. */
const CACHED = 10_000;

interface Count {
  readonly isAllowed: boolean;
  readonly max?: number;
  readonly remaining?: number;
  readonly ttlInSeconds?: number;
  readonly isExceeded?: boolean;
}

const headersOf = ({ max, remaining, ttlInSeconds }: Count): Record<string, string> => ({
  'ratelimit-limit': String(max),
  'ratelimit-remaining': String(remaining),
  'ratelimit-reset': String(ttlInSeconds),
});

function refuse(count: Count, detail: string): never {
  throw new ProblemError('rate_limited', detail, {
    headers: { ...headersOf(count), 'retry-after': String(Math.max(1, count.ttlInSeconds ?? 1)) },
  });
}

/** The count, or undefined if there is none in time: then nobody is refused. */
const inTime = (count: Promise<Count>): Promise<Count | undefined> =>
  withDeadline(count, COUNTED_WITHIN_MS, 'rate limit').catch((error: unknown) => {
    if (error instanceof Outage) return undefined;
    throw error;
  });

/** Must be called before the routes of the scope are added. */
export async function createRateLimits(
  app: FastifyInstance,
  { redis, failuresPerMinute }: RateLimitOptions,
): Promise<RateLimits> {
  await app.register(rateLimit, {
    global: false,
    timeWindow: MINUTE_MS,
    nameSpace: 'session-mint:rate-limit:',
    cache: CACHED,
    skipOnError: true,
    ...(redis === undefined ? {} : { redis }),
  });
  const countKey = app.createRateLimit({
    max: ({ caller }: FastifyRequest) => caller.requestsPerMinute ?? 0,
    keyGenerator: ({ caller }: FastifyRequest) => `key:${caller.id}`,
  });
  const countFailure = app.createRateLimit({ max: failuresPerMinute });

  async function limit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const count = await inTime(countKey(request));
    if (count === undefined) return;
    if (count.isExceeded) refuse(count, 'The API key has made its requests of this minute.');
    reply.headers(headersOf(count));
  }

  return {
    async onRefusedKey(request) {
      // Without an address the connection is gone, and nobody is told.
      const address: string | undefined = request.ip;
      if (failuresPerMinute === 0 || address === undefined) return;
      const count = await inTime(countFailure(request));
      if (count?.isExceeded)
        refuse(count, 'Too many requests without a valid API key came from here.');
    },
    // Not async: most keys have no limit, and need not wait for a promise.
    limitCaller(request, reply, done) {
      if (request.caller.requestsPerMinute === undefined) return done();
      limit(request, reply).then(() => done(), done);
    },
  };
}
