// Owns the promises under overload: what cannot be answered in time is refused at once, and taken again as soon as it can be.

import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, createTestApp, ROOT_KEY, type TestApp } from '../support/test-app.ts';
import { type Answer, addressOf, call, expectProblem } from './api.ts';

let service: TestApp;
afterEach(() => service.app.close());

const read = (): Promise<Answer> => call(service.app, 'GET', addressOf('nobody'));

function expectOverloaded(answer: Answer): void {
  expect(expectProblem(answer, 'overloaded').retryable).toBe(true);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
}

async function expectOpenProbes(): Promise<void> {
  for (const url of ['/livez', '/readyz', '/.well-known/jwks.json']) {
    expect((await call(service.app, 'GET', url, { key: null })).statusCode, url).toBe(200);
  }
}

/** Does work that lets nothing else have its turn. */
function block(ms: number): void {
  for (const endMs = performance.now() + ms; performance.now() < endMs; );
}

it('while everything waits for the loop, requests are told to come again, and the probes stay open', async () => {
  service = await createTestApp({ load: { maxLoopDelayMs: 100 } });
  await expect.poll(async () => (await read()).statusCode, { timeout: 20_000 }).toBe(404);
  let answer = await read();
  for (let i = 0; i < 30 && answer.statusCode === 404; i++) {
    block(300);
    await turn();
    answer = await read();
  }
  expectOverloaded(answer);
  await expectOpenProbes();
  await expect.poll(async () => (await read()).statusCode, { timeout: 20_000 }).toBe(404);
});

it('one request more than there are places is refused, and each place is given back with its answer', async () => {
  const clock = createManualClock();
  const memory = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 10,
    userRetentionMs: RETENTION_MS,
  });
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let waiting = 0;
  service = await createTestApp({
    clock,
    load: { maxInFlight: 3 },
    store: {
      ...memory,
      read: async (locator) => {
        waiting++;
        await released;
        return memory.read(locator);
      },
    },
  });
  // Until the store answers, the session of a well-formed id is being looked for.
  const id = '5f1pq8v3k2c0aXb0m1Q2w3E4r5T6y7U8i9O';
  const look = () => call(service.app, 'GET', addressOf(id));
  const held = [look(), look(), look()];
  await expect.poll(() => waiting).toBe(3);
  for (let i = 0; i < 3; i++) expectOverloaded(await look());
  await expectOpenProbes();
  release();
  for (const answer of await Promise.all(held)) expectProblem(answer, 'session_not_found');
  const after = await Promise.all([look(), look(), look()]);
  for (const answer of after) expectProblem(answer, 'session_not_found');
});

it('who sends no body holds no place', async () => {
  service = await createTestApp({ load: { maxInFlight: 1 } });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = service.app.server.address() as AddressInfo;
  const idle = Array.from({ length: 5 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST /sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ROOT_KEY}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
    );
    return socket;
  });
  const open = () =>
    new Promise<number>((resolve) =>
      service.app.server.getConnections((_error, count) => resolve(count)),
    );
  await expect.poll(open).toBe(5);
  // Their heads have been read: a request that came later is answered.
  await call(service.app, 'GET', '/livez', { key: null });
  expectProblem(await read(), 'session_not_found');
  for (const socket of idle) socket.destroy();
});
