// Owns the promise that who does not read its answers is cut in time: they take neither memory nor places for ever.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestApp, ROOT_KEY, type TestApp } from '../support/test-app.ts';
import { type START, start } from './api.ts';

const LIST = '/sessions/my-app/prd/user-session?limit=100';
const REQUEST = `GET ${LIST} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${ROOT_KEY}\r\n\r\n`;

let service: TestApp;
let port: number;
let clients: Socket[];
beforeEach(async () => {
  service = await createTestApp({ load: { maxInFlight: 1 }, exchangeTimeoutMs: 1_000 });
  // A page of 100 of these is more than 700 kB: a few of them fill what the kernel keeps of a connection.
  const details = { text: 'x'.repeat(7_500) };
  for (let i = 0; i < 100; i++)
    await start(service.app, { data: { userId: 'u', details } as unknown as typeof START.data });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  port = (service.app.server.address() as AddressInfo).port;
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await service.app.close();
});

const connections = (): Promise<number> =>
  new Promise((resolve, reject) => {
    service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

async function open(bytes: string): Promise<Socket> {
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(client);
  client.on('error', () => undefined).pause();
  await once(client, 'connect');
  client.write(bytes);
  return client;
}

/** The status that somebody gets who reads. */
async function statusOfOthers(): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/sessions/my-app/prd/user-session/x`, {
    headers: { authorization: `Bearer ${ROOT_KEY}`, connection: 'close' },
  });
  await response.arrayBuffer();
  return response.status;
}

const trickle = async (client: Socket): Promise<void> => {
  while (!client.destroyed) {
    client.resume();
    client.once('data', () => client.pause());
    await sleep(50);
  }
};

it.each([
  ['nothing of its answers', async () => undefined],
  ['a little of them now and then', trickle],
])('a client that reads %s is cut, and its place is given back', async (_what, behave) => {
  const client = await open(REQUEST);
  behave(client).catch(() => undefined);
  // The first few answers fit into what the kernel keeps; then one stays here, with its place.
  await expect
    .poll(
      async () => {
        client.write(REQUEST);
        await sleep(50);
        return statusOfOthers();
      },
      { timeout: 10_000 },
    )
    .toBe(503);
  await expect.poll(statusOfOthers, { timeout: 10_000 }).toBe(404);
  await expect.poll(connections, { timeout: 10_000 }).toBe(0);
});

it('a client that asks for a tunnel and keeps its half of the connection is cut', async () => {
  await open('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await expect.poll(connections).toBe(1);
  await expect.poll(connections, { timeout: 10_000 }).toBe(0);
});

it('a client that reads its answers keeps its connection beyond that time', async () => {
  const client = await open(REQUEST);
  client.resume();
  await sleep(1_500);
  expect(await connections()).toBe(1);
  client.write(REQUEST);
  await once(client, 'data');
});
