// Owns the proof of the limits on how often: counted by a real Redis for all instances, and never in the way when it cannot count.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { connectImpatiently, type RedisClient } from '../../src/stores/redis/connect.ts';
import { until } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';
import { type Answer, call, expectProblem, post, START } from './api.ts';

let server: RedisServer;
let counting: RedisClient;
let one: TestApp;
let two: TestApp;
beforeAll(async () => {
  server = await startRedis();
  counting = connectImpatiently({ mode: 'single', url: server.url }, () => undefined);
  await until('Redis counts', 5000, () =>
    counting.ping().then(
      () => true,
      () => false,
    ),
  );
  const shared = {
    clock: createManualClock(),
    keyStore: createMemoryDocuments(100),
    counting,
    failuresPerMinute: 5,
    trustProxy: ['127.0.0.1'],
  };
  one = await createTestApp(shared);
  two = await createTestApp({ ...shared, store: one.store });
});
afterAll(async () => {
  await Promise.all([one.app.close(), two.app.close()]);
  counting.disconnect();
  await server.stop();
});

const limited = async (requestsPerMinute: number): Promise<string> => {
  const body = { name: 'x', permissions: ['issue', 'verify', 'revoke'], requestsPerMinute };
  return (await post(one.app, '/api-keys', body)).json().key;
};
const verifyAs = (key: string | null, at = one, from?: string): Promise<Answer> =>
  call(at.app, 'POST', '/sessions/verify', {
    key,
    body: { token: 'x' },
    headers: from === undefined ? {} : { 'x-forwarded-for': from },
  });

describe('a key with a limit', () => {
  it('is told what is left of it, and waits for the next minute beyond it, at any instance', async () => {
    const key = await limited(3);
    for (const left of [2, 1, 0]) {
      const { statusCode, headers } = await verifyAs(key, left % 2 ? one : two);
      expect(statusCode).toBe(200);
      expect(headers).toMatchObject({
        'ratelimit-limit': '3',
        'ratelimit-remaining': String(left),
        'ratelimit-reset': expect.stringMatching(/^([1-9]|[1-5]\d|60)$/),
      });
    }
    for (const at of [one, two]) {
      const answer = await verifyAs(key, at);
      expectProblem(answer, 'rate_limited');
      expect(answer.headers).toMatchObject({
        'ratelimit-limit': '3',
        'ratelimit-remaining': '0',
        'ratelimit-reset': answer.headers['retry-after'],
      });
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(60);
    }
    expect((await post(one.app, '/sessions', START)).headers['ratelimit-limit']).toBeUndefined();
  });

  it.each([
    ['is frozen', () => server.freeze(), () => server.thaw()],
    [
      'is full',
      () => counting.call('CONFIG', 'SET', 'maxmemory', '1'),
      () => counting.call('CONFIG', 'SET', 'maxmemory', '0'),
    ],
  ])(
    'is not in the way of verify and revoke while the Redis that counts %s',
    async (_what, fail, mend) => {
      const key = await limited(2);
      const { token } = (await post(one.app, '/sessions', START)).json();
      await fail();
      const startedMs = performance.now();
      for (let i = 0; i < 4; i++) expect((await verifyAs(key)).statusCode).toBe(200);
      expect((await post(one.app, '/sessions/revoke', { token }, key)).statusCode).toBe(204);
      expect(performance.now() - startedMs).toBeLessThan(5 * 400);
      await mend();
    },
  );
});

describe('an address that sends wrong keys', () => {
  it('is told to wait after a few, at any instance; a good key from there is not', async () => {
    const from = '203.0.113.20';
    for (let i = 0; i < 5; i++) {
      expectProblem(await verifyAs('wrong', i % 2 ? one : two, from), 'unauthenticated');
    }
    expectProblem(await verifyAs('wrong', one, from), 'rate_limited');
    expectProblem(await verifyAs(null, two, from), 'rate_limited');
    expect((await verifyAs('root-key', one, from)).statusCode).toBe(200);
    expectProblem(await verifyAs('wrong', one, '203.0.113.21'), 'unauthenticated');
  });

  it('is one with all others of its IPv6 /64, however they are written, and not with the next /64', async () => {
    const inOne = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:0DB8:0001:0002:0:0:0:5'];
    for (let i = 0; i < 5; i++) {
      expectProblem(await verifyAs('wrong', i % 2 ? one : two, inOne[i % 3]), 'unauthenticated');
    }
    for (const from of [...inOne, '2001:db8:1:2:8000::']) {
      const refused = await verifyAs('wrong', one, from);
      expectProblem(refused, 'rate_limited');
      expect(refused.headers).toMatchObject({
        'ratelimit-limit': '5',
        'ratelimit-remaining': '0',
        'ratelimit-reset': refused.headers['retry-after'],
      });
    }
    for (const from of ['2001:db8:1:3::1', '2001:db8:1:1:ffff:ffff:ffff:ffff']) {
      expectProblem(await verifyAs('wrong', one, from), 'unauthenticated');
    }
  });

  it('is the same whether IPv4 is written as itself or as IPv6', async () => {
    for (let i = 0; i < 5; i++) await verifyAs('wrong', one, '198.51.100.7');
    expectProblem(await verifyAs('wrong', two, '::ffff:198.51.100.7'), 'rate_limited');
    expectProblem(await verifyAs('wrong', two, '::ffff:198.51.100.8'), 'unauthenticated');
  });
});
