// Owns the promises about API keys that several instances on one real Redis keep together.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatApiKey } from '../../src/callers/api-key.ts';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import { Outage } from '../../src/sessions/errors.ts';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';
import {
  createManualClock,
  createTestApp,
  type ManualClock,
  ROOT_KEY,
  type TestApp,
} from '../support/test-app.ts';
import { call, expectProblem, post, START } from './api.ts';

const BOUND_MS = 5_000;
const KEYS = 'session-mint:api-keys';
const USES = 'session-mint:api-key-uses';

interface Key {
  readonly id: string;
  readonly key: string;
}

let server: RedisServer;
let stores: readonly RedisStore[];
let clock: ManualClock;
let one: TestApp;
let two: TestApp;
/** Names of documents that the second instance removed. */
const removedAtTwo: string[] = [];
/** Whether the next removal of the second instance is carried out and not answered. */
let loseAnswer = false;
beforeAll(async () => {
  server = await startRedis();
  const target = { mode: 'single', url: server.url } as const;
  const [first, second] = await Promise.all([openRedisStore(target), openRedisStore(target)]);
  stores = [first, second];
  clock = createManualClock();
  one = await createTestApp({ clock, store: first, keyStore: first.apiKeys });
  const watched: DocumentStore = {
    ...second.apiKeys,
    removeDocument: async (collection, name, current) => {
      const done = await second.apiKeys.removeDocument(collection, name, current);
      removedAtTwo.push(name);
      if (loseAnswer) {
        loseAnswer = false;
        throw new Outage('the answer was lost');
      }
      return done;
    },
  };
  two = await createTestApp({ clock, store: second, keyStore: watched });
});
afterAll(async () => {
  await Promise.all([one.app.close(), two.app.close()]);
  await Promise.all(stores.map((store) => store.close()));
  await server.stop();
});

const make = async (over: object = {}): Promise<Key> => {
  const body = { name: 'test', permissions: ['verify'], ...over };
  const answer = await post(one.app, '/api-keys', body);
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<Key>();
};
const rotate = async (at: TestApp, id: string, overlapSeconds: number): Promise<Key> =>
  (await post(at.app, `/api-keys/${id}/rotate`, { overlapSeconds })).json<Key>();
const statusAt = async ({ app }: TestApp, key: string): Promise<number> =>
  (await post(app, '/sessions/verify', { token: 'x' }, key)).statusCode;
const inRedis = (hash: string) =>
  withRedis(server.port, (redis) => redis.hgetall(hash)) as Promise<Record<string, string>>;

describe('a key', () => {
  it('made at one instance is good at the other at once', async () => {
    const { key } = await make();
    expect(await statusAt(two, key)).toBe(200);
  });

  it('revoked at one instance is refused there at once, and at the other within 5 s however often it is used', async () => {
    const { id, key } = await make();
    expect(await statusAt(two, key)).toBe(200);
    expect((await call(one.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expect(await statusAt(one, key)).toBe(401);
    for (let atMs = 0; atMs < BOUND_MS; atMs += 500) {
      await statusAt(two, key);
      clock.advance(500);
    }
    expect(await statusAt(two, key)).toBe(401);
  });

  it('whose revocation was carried out, lost and sent again is refused there at once', async () => {
    const { id, key } = await make();
    const body = { token: 'x' };
    await call(two.app, 'POST', '/sessions/verify', { body, key });
    loseAnswer = true;
    expectProblem(await call(two.app, 'DELETE', `/api-keys/${id}`), 'store_unavailable');
    expect((await call(two.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expectProblem(
      await call(two.app, 'POST', '/sessions/verify', { body, key }),
      'unauthenticated',
    );
  });

  it('revoked at one instance is refused within 5 s at one that did not ask about it meanwhile', async () => {
    const { id, key } = await make();
    expect(await statusAt(two, key)).toBe(200);
    await call(one.app, 'DELETE', `/api-keys/${id}`);
    clock.advance(BOUND_MS);
    expect(await statusAt(two, key)).toBe(401);
  });

  it('expires at both at the same moment, whatever they have cached', async () => {
    const expiresAt = new Date((await stores[0]?.now()) as number);
    expiresAt.setMinutes(expiresAt.getMinutes() + 5);
    const { key } = await make({ expiresAt: expiresAt.toISOString() });
    for (const at of [one, two]) expect(await statusAt(at, key)).toBe(200);
    clock.advance(5 * 60_000);
    for (const at of [one, two]) expect(await statusAt(at, key)).toBe(401);
  });

  it('is kept as a hash: neither Redis nor a log holds its secret', async () => {
    const { id, key } = await make();
    const rotated = await rotate(one, id, 60);
    const kept = JSON.stringify(await inRedis(KEYS));
    expect(kept).toContain(id);
    for (const text of [key, rotated.key]) {
      const secret = text.slice('smk_'.length + id.length + 1, -6);
      expect(secret).toHaveLength(32);
      for (const place of [kept, one.log(), two.log()]) expect(place).not.toContain(secret);
    }
    expect(one.events).toContainEqual({ name: 'api_key_created', keyId: id });
    expect(one.events).toContainEqual({ name: 'api_key_rotated', keyId: id });
  });

  it('leaves nothing behind when it is revoked, even where it is used a moment later', async () => {
    const { id, key } = await make();
    // Known to the other by a secret that is not its own, so that no use is due yet.
    await rotate(one, id, 60);
    const stranger = formatApiKey({ id, secret: 'x'.repeat(32) });
    expect(await statusAt(two, stranger)).toBe(401);
    expect((await call(one.app, 'DELETE', `/api-keys/${id}`)).statusCode).toBe(204);
    expect(await statusAt(two, key)).toBe(200);
    await until('its use is gone again', 2000, async () => removedAtTwo.includes(id));
    expect(id in (await inRedis(USES))).toBe(false);
    expect(id in (await inRedis(KEYS))).toBe(false);
  });

  it('shows the later of two uses, whoever writes it down', async () => {
    const { id, key } = await make();
    const lastUsed = async () =>
      (await call(one.app, 'GET', `/api-keys/${id}`)).json<{ lastUsedAt?: string }>().lastUsedAt;
    await statusAt(one, key);
    await until('its use is written', 2000, async () => (await lastUsed()) !== undefined);
    const first = await lastUsed();
    clock.advance(90_000);
    await statusAt(two, key);
    await until('the later use is written', 2000, async () => (await lastUsed()) !== first);
    expect(Date.parse((await lastUsed()) ?? '') - Date.parse(first ?? '')).toBeGreaterThan(60_000);
  });
});

describe('a rotated key', () => {
  it('has its new secret accepted at once by an instance that still remembers the old one', async () => {
    const { id, key } = await make();
    expect(await statusAt(two, key)).toBe(200);
    const { key: next } = await rotate(one, id, 60);
    expect(await statusAt(two, next)).toBe(200);
    expect(await statusAt(two, key)).toBe(200);
  });

  it('without overlap has its old secret refused everywhere within 5 s', async () => {
    const { id, key } = await make();
    expect(await statusAt(two, key)).toBe(200);
    await rotate(one, id, 0);
    expect(await statusAt(one, key)).toBe(401);
    clock.advance(BOUND_MS);
    expect(await statusAt(two, key)).toBe(401);
  });

  it('keeps the secret that is in use good when the rotation is sent again after a lost answer', async () => {
    const { id, key } = await make();
    const unseen = await rotate(one, id, 60);
    const seen = await rotate(two, id, 60);
    for (const each of [key, unseen.key, seen.key]) expect(await statusAt(one, each)).toBe(200);
    // A moment more: Redis's clock goes on while this one stands.
    clock.advance(65_000);
    for (const each of [key, unseen.key]) expect(await statusAt(one, each)).toBe(401);
    expect(await statusAt(one, seen.key)).toBe(200);
  });

  it('never keeps an older secret longer than its newest overlap, and not at all without one', async () => {
    const { id, key } = await make();
    await rotate(one, id, 3600);
    const second = await rotate(one, id, 10);
    clock.advance(15_000);
    expect(await statusAt(one, key)).toBe(401);
    expect(await statusAt(one, second.key)).toBe(200);
    await rotate(one, id, 0);
    expect(await statusAt(one, second.key)).toBe(401);
  });

  it('by many at once ends with one secret that works, and none of the answers is a lie about the last', async () => {
    const { id } = await make();
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, i) => rotate(i % 2 ? one : two, id, 0)),
    );
    clock.advance(BOUND_MS);
    const good = await Promise.all(
      answers.map(async ({ key }) => key !== undefined && (await statusAt(one, key)) === 200),
    );
    expect(good.filter(Boolean)).toHaveLength(1);
  });
});

describe('while Redis hangs', () => {
  it('a key is good for as long as it is remembered; then the answer is 503 in time, never 401, and a key of the configuration is known', async () => {
    const { key } = await make({ permissions: ['metrics'] });
    const metrics = (as: string) => call(one.app, 'GET', '/metrics', { key: as });
    expect((await metrics(key)).statusCode).toBe(200);
    server.freeze();
    try {
      expect((await metrics(key)).statusCode).toBe(200);
      clock.advance(4_000);
      const startedMs = performance.now();
      expectProblem(await metrics(key), 'store_unavailable');
      expect(performance.now() - startedMs).toBeLessThan(2_000);
      expect((await metrics(ROOT_KEY)).statusCode).toBe(200);
      // A typo needs no store to be one.
      expectProblem(
        await metrics(`${key.slice(0, -1)}${key.endsWith('0') ? 1 : 0}`),
        'unauthenticated',
      );
    } finally {
      server.thaw();
    }
    await until('Redis is back', 3000, async () => (await metrics(key)).statusCode === 200);
    expect((await post(one.app, '/sessions', START)).statusCode).toBe(201);
  });
});
