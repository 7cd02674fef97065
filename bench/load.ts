// Owns the load: so many requests over keep-alive connections, and what they cost.

import autocannon from 'autocannon';
import type { Redis } from 'ioredis';
import { ROOT_KEY, type Server } from './server.ts';

export interface Sample {
  readonly serverMicroseconds: number;
  readonly redisMicroseconds: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const CONNECTIONS = 32;
const HEADERS = { authorization: `Bearer ${ROOT_KEY}`, 'content-type': 'application/json' };

export const startBody = (userId: string, tag = 'user-session'): string =>
  JSON.stringify({
    product: 'my-app',
    env: 'prd',
    tag,
    data: { userId, details: { username: 'johndoe', email: 'john@example.com' } },
  });

async function redisCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = [...info.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)];
  return seconds.reduce((sum, [, value]) => sum + Number(value) * 1e6, 0);
}

/** What one connection does: the body of its next request, fed by the answer to its last. */
export interface Script {
  readonly path: string;
  readonly next: (connection: number, answer: string | undefined) => string;
}

/** Sends `amount` requests. Rejects if one of them is not answered 2xx. */
export async function load(
  server: Server,
  redis: Redis,
  script: Script,
  amount: number,
): Promise<Sample> {
  const [serverBefore, redisBefore] = [server.cpuMicroseconds(), await redisCpu(redis)];
  const startedMs = performance.now();
  // autocannon ends with its next tick of a second, not with the last answer.
  let lastAnswerMs = startedMs;
  let connection = 0;
  const run = autocannon({
    url: `http://127.0.0.1:${server.port}${script.path}`,
    method: 'POST',
    headers: HEADERS,
    connections: CONNECTIONS,
    amount,
    setupClient(client) {
      const own = connection++;
      client.setBody(script.next(own, undefined));
      client.on('body', (answer: Buffer) => {
        lastAnswerMs = performance.now();
        client.setBody(script.next(own, answer.toString()));
      });
    },
  });
  const { latency, non2xx, errors } = await run;
  if (non2xx + errors > 0) throw new Error(`${non2xx} requests refused, ${errors} failed`);
  return {
    serverMicroseconds: (server.cpuMicroseconds() - serverBefore) / amount,
    redisMicroseconds: ((await redisCpu(redis)) - redisBefore) / amount,
    requestsPerSecond: (amount * 1000) / (lastAnswerMs - startedMs),
    p50Ms: latency.p50,
    p99Ms: latency.p99,
  };
}

/** One call, for preparing a run or to be looked at by itself. Rejects if it is not answered 2xx. */
export async function call(
  server: Server,
  path: string,
  body?: string,
  method = 'POST',
): Promise<Record<string, string>> {
  const { 'content-type': contentType, ...headers } = HEADERS;
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    ...(body === undefined
      ? { headers }
      : { headers: { ...headers, 'content-type': contentType }, body }),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`);
  const text = await response.text();
  return text === '' ? {} : (JSON.parse(text) as Record<string, string>);
}
