// Owns the promises about where an API key may be used from, when what a proxy says of the address is odd.

import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isWithin } from '../../src/callers/address-range.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createManualClock, createTestApp, type TestApp } from '../support/test-app.ts';
import { call, expectProblem, post, START } from './api.ts';

let trusting: TestApp;
let plain: TestApp;
beforeAll(async () => {
  trusting = await createTestApp({ trustProxy: ['127.0.0.1'], failuresPerMinute: 3 });
  plain = await createTestApp();
});
afterAll(() => Promise.all([trusting.app.close(), plain.app.close()]));

const RANGE = { name: 'office', permissions: ['issue'], allowedCidrs: ['203.0.113.0/24'] };
const startFrom = ({ app }: TestApp, key: string, from: string) =>
  call(app, 'POST', '/sessions', { key, body: START, headers: { 'x-forwarded-for': from } });

describe('an address', () => {
  it.each(['nonsense', '203.0.113.9:443', '[2001:db8::1]', '203.0.113.999', '-', "'; drop"])(
    'that is none (%s) is outside every range, and no error of the service',
    async (from) => {
      const { key } = (await post(trusting.app, '/api-keys', RANGE)).json();
      expectProblem(await startFrom(trusting, key, from), 'forbidden');
      expectProblem(await startFrom(trusting, 'wrong', from), 'unauthenticated');
    },
  );

  it('that is gone with its connection while the key is looked up is no error of the service', async () => {
    const clock = createManualClock();
    const documents = createMemoryDocuments(10);
    let lookups = 0;
    const keyStore = {
      ...documents,
      async readDocument(...args: Parameters<typeof documents.readDocument>) {
        lookups++;
        await sleep(100);
        return documents.readDocument(...args);
      },
    };
    const { app } = await createTestApp({ clock, keyStore });
    const { key } = (await post(app, '/api-keys', { ...RANGE, permissions: ['read'] })).json();
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    for (let i = 1; i <= 3; i++) {
      // What is known of the key is too old by now.
      clock.advance(60_000);
      const socket = connect(port, '127.0.0.1');
      socket.write(
        `GET /sessions/p/e/t HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n\r\n`,
      );
      await expect.poll(() => lookups).toBeGreaterThanOrEqual(i);
      socket.destroy();
      await sleep(200);
    }
    expect((await call(app, 'GET', '/livez')).statusCode).toBe(200);
    await app.close();
  });

  it('that a client makes up counts for nothing when no proxy is trusted', async () => {
    const { key } = (await post(plain.app, '/api-keys', RANGE)).json();
    expectProblem(await startFrom(plain, key, '203.0.113.9'), 'forbidden');
  });

  it('that a client puts before the real one does not win it new failures', async () => {
    const statuses = [];
    for (let i = 0; i < 6; i++) {
      const from = `198.51.100.${i}, 203.0.113.77`;
      statuses.push((await startFrom(trusting, 'wrong', from)).statusCode);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
  });

  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '::ffff:10.255.0.1', true],
    ['10.0.0.0/8', '::FFFF:10.255.0.1', true],
    ['10.0.0.0/8', '::ffff:aff:1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:b00:1', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
  ])('in %s, %s lies: %s', (range, address, within) => {
    expect(isWithin([range], address)).toBe(within);
  });

  it('of a connection that is gone lies nowhere', () => {
    expect(isWithin(['0.0.0.0/0', '::/0'], undefined)).toBe(false);
  });
});
