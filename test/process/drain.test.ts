// Owns the promises of the end: what is under way is answered, nobody is kept, exit code 0 in time.

import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { startService, TEST_ROOT_KEY } from '../support/service-process.ts';

const CLIENTS = 100;
const BODY = JSON.stringify({ product: 'p', env: 'e', tag: 't', data: { userId: 'u' } });

/** One request on a keep-alive connection: its status and Connection header, or 'closed' if it was never answered. */
const send = (
  port: number,
  agent: Agent,
): Promise<{ status: number; connection: string } | 'closed'> =>
  new Promise((resolve) => {
    const sent = request(
      {
        port,
        agent,
        path: '/sessions',
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_ROOT_KEY}`, 'content-type': 'application/json' },
      },
      (response) => {
        response.resume().on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            connection: response.headers.connection ?? '',
          }),
        );
      },
    );
    sent.on('error', () => resolve('closed'));
    sent.end(BODY);
  });

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe('SIGTERM', () => {
  it('with 100 keep-alive clients: every request is answered whole or not at all, then code 0', async () => {
    const service = await startService({ REDIS_URL: redis.url });
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    const outcomes: Awaited<ReturnType<typeof send>>[] = [];
    let stopped = false;
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (!stopped) {
        const outcome = await send(service.port, agent);
        outcomes.push(outcome);
        if (outcome === 'closed') return;
      }
    });
    await expect.poll(() => outcomes.length, { timeout: 20_000 }).toBeGreaterThan(300);
    const startedMs = performance.now();
    service.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    stopped = true;
    expect(performance.now() - startedMs).toBeLessThan(9_000);
    await Promise.all(clients);
    agent.destroy();
    const answered = outcomes.filter((outcome) => outcome !== 'closed');
    expect(answered.every(({ status }) => status === 201)).toBe(true);
    expect(answered.some(({ connection }) => connection === 'close')).toBe(true);
  });

  it('with a client in the middle of a body: that client is cut in time, then code 0', async () => {
    const service = await startService({ REDIS_URL: redis.url });
    const socket = connect(service.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST /sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TEST_ROOT_KEY}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{`,
    );
    await expect.poll(() => socket.bytesWritten).toBeGreaterThan(0);
    service.kill('SIGTERM');
    expect(await service.exited).toEqual({ code: 0, signal: null });
    socket.destroy();
  });

  it('in production readiness says no before the port closes', async () => {
    const service = await startService({
      NODE_ENV: 'production',
      REDIS_URL: redis.url,
      ISSUER: 'https://sessions.example.com',
    });
    expect((await service.call('/readyz')).status).toBe(200);
    service.kill('SIGTERM');
    await expect
      .poll(async () => (await service.call('/readyz')).status, { timeout: 900, interval: 50 })
      .toBe(503);
    expect((await service.call('/sessions/verify', { token: 'x' })).status).toBe(200);
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });
});
