// Owns the proof that connections which are dropped at bad moments neither end the process nor take from others.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServiceProcess, startService, TEST_ROOT_KEY } from '../support/service-process.ts';

let service: ServiceProcess;
beforeAll(async () => {
  service = await startService({ DOCS: 'true' });
});
afterAll(() => service.stop());

/** Sends something and resets the connection without waiting for an answer. */
async function sendAndReset(bytes: string, afterMs: number): Promise<void> {
  const socket: Socket = connect(service.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(bytes);
  await sleep(afterMs);
  socket.resetAndDestroy();
}

it('a CONNECT that is reset, with or without bytes behind it, does not end the process', async () => {
  for (const rest of ['', 'x'.repeat(60_000)]) {
    for (let i = 0; i < 10; i++) {
      await sendAndReset(`CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n${rest}`, i % 3);
    }
  }
  await sleep(100);
  expect((await fetch(`${service.url}/livez`)).status).toBe(200);
});

it('requests that wait on a connection which is reset take no place for ever', async () => {
  const request = `GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TEST_ROOT_KEY}\r\n\r\n`;
  for (let i = 0; i < 45; i++) await sendAndReset(request.repeat(100), 2);
  await sleep(500);
  const answers = await Promise.all(
    Array.from({ length: 300 }, () => service.call('/sessions/my-app/prd/user-session/x')),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
});

it.each([
  '/docs/static/nope.js',
  '/docs/static/%00',
  '/docs/static/..%2f..%2fpackage.json',
  '/docs/static/%2e%2e/%2e%2e/package.json',
])('what the interactive reference does not have is a plain 404: %s', async (path) => {
  const socket = connect(service.port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  await once(socket, 'close');
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  expect(answer).toContain('"code":"not_found"');
});
