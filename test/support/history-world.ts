// Owns one world that a history runs in: the whole application on a store, spoken to over HTTP, with chance, time and mishaps that all worlds share.

import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { seeded } from '../../proof/random.ts';
import { MAX_API_KEYS, MAX_TYPES } from '../../src/stores/limits.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import type { RedisStore } from '../../src/stores/redis/redis-store.ts';
import { withRedis } from './redis-client.ts';
import type { RedisClock } from './redis-clock.ts';
import { RETENTION_MS } from './sessions.ts';
import { createManualClock, createTestApp, ROOT_KEY, type TestAppOptions } from './test-app.ts';
import { createWeather, type Mishap } from './weather.ts';

/** Of every world that is opened: they must agree on the time too. A Wednesday, 23:59:30. */
export const BEGINS_MS = Date.UTC(2026, 10, 18, 23, 59, 30);
/** Low, so that a history meets it. */
export const PER_USER = 5;

/** What one world has given out; other worlds have given out others at the same places. */
export interface Held {
  readonly tokens: string[];
  readonly refreshTokens: string[];
}

export interface Request {
  readonly method: NonNullable<InjectOptions['method']>;
  readonly url: string;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** Follow the pages to the end: the answer has all `sessions` or `users` and the sizes of the pages. */
  readonly pages?: 'sessions' | 'users';
  /** The list has no particular order: it is shown sorted. */
  readonly unordered?: boolean;
}

/** An answer without what may differ between two services that agree. */
export interface Seen {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** A reply of the store was lost on the way, and the request was sent again. */
  readonly sentAgain: boolean;
  /** What happened to a write on its way. */
  readonly mishap: Mishap['kind'] | undefined;
}

export interface World {
  readonly name: string;
  readonly held: Held;
  exchange(
    request: (held: Held) => Request,
    mishap: Mishap | undefined,
    seed: number,
  ): Promise<Seen>;
  advance(ms: number): Promise<void>;
  /** What a recount finds wrong. */
  drift(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

const WRITES = new Set([
  ...['create', 'replace', 'remove', 'removeUser', 'eraseUser'],
  ...['claim', 'replaceClaim', 'forbid', 'replaceDocument', 'removeDocument'],
]);
/** Written in the background, in an order of its own. */
const USES = 'api-key-uses';
const isWrite = (name: string, args: readonly unknown[]) => WRITES.has(name) && args[0] !== USES;

const SHOWN_HEADERS = ['location', 'etag', 'session-refresh', 'www-authenticate', 'allow'];

function send(app: FastifyInstance, { method, url, key = ROOT_KEY, headers, body }: Request) {
  return app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${key}`, ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
}

/** The whole list, page by page; the first answer that is no page ends it. */
async function sendPages(app: FastifyInstance, request: Request, what: 'sessions' | 'users') {
  const sizes: number[] = [];
  const items: object[] = [];
  let cursor = '';
  for (;;) {
    const answer = await send(app, { ...request, url: request.url + cursor });
    const page = answer.json<Record<string, unknown>>();
    if (answer.statusCode !== 200) return { answer, body: page };
    const found = page[what] as readonly object[];
    items.push(...found);
    sizes.push(found.length);
    if (page['nextCursor'] === undefined) {
      if (request.unordered) items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
      return { answer, body: { ...page, [what]: items, sizes } };
    }
    cursor = `&cursor=${encodeURIComponent(String(page['nextCursor']))}`;
  }
}

const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

/** Tokens are replaced by what they say: keys that sign are each world's own. */
function shown(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { token, refreshToken, nextCursor, instance: _own, ...rest } = body;
  return {
    ...rest,
    ...(typeof token === 'string' ? { token: claimsOf(token) } : {}),
    ...(refreshToken === undefined ? {} : { refreshToken: true }),
    ...(nextCursor === undefined ? {} : { nextCursor: true }),
  };
}

type Stores = Required<Pick<TestAppOptions, 'store' | 'typeStore' | 'keyStore'>>;

async function openWorld(
  name: string,
  open: (nowMs: () => number) => Stores,
  setTime: (ms: number) => Promise<void>,
  drift: World['drift'],
): Promise<World> {
  const clock = createManualClock(BEGINS_MS);
  const weather = createWeather();
  const stores = open(clock.wallMs);
  let chance = seeded(0);
  const at = await createTestApp({
    clock,
    store: weather.cover(stores.store, isWrite),
    typeStore: weather.cover(stores.typeStore, isWrite),
    keyStore: weather.cover(stores.keyStore, isWrite),
    maxSessionsPerUser: PER_USER,
    randomBytes: (size) => Buffer.from(Array.from({ length: size }, () => chance() * 256)),
    pause: async () => undefined,
  });
  const held: Held = { tokens: [], refreshTokens: [] };

  async function ask(request: Request) {
    if (request.pages) return sendPages(at.app, request, request.pages);
    const answer: LightMyRequestResponse = await send(at.app, request);
    return { answer, body: answer.body === '' ? {} : answer.json<Record<string, unknown>>() };
  }

  return {
    name,
    held,
    async exchange(makeRequest, mishap, seed) {
      // Anew at each step: worlds stay together although one may draw more often than another.
      chance = seeded(seed);
      weather.set(mishap);
      const request = makeRequest(held);
      let seen = await ask(request);
      const sentAgain = seen.answer.statusCode === 503 && weather.happened === 'lost';
      if (sentAgain) seen = await ask(request);
      await weather.settle();
      const { answer, body } = seen;
      if (typeof body['refreshToken'] === 'string') {
        held.tokens.push(String(body['token']));
        held.refreshTokens.push(body['refreshToken']);
      }
      const headers = SHOWN_HEADERS.map((header) => [header, answer.headers[header]]);
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(headers),
        body: shown(body),
        sentAgain,
        mishap: weather.happened,
      };
    },
    async advance(ms) {
      clock.advance(ms);
      await setTime(clock.wallMs());
    },
    drift,
    close: () => at.app.close(),
  };
}

export const openMemoryWorld = (): Promise<World> =>
  openWorld(
    'memory',
    (nowMs) => ({
      store: createMemoryStore({ nowMs, maxSessions: 100_000, userRetentionMs: RETENTION_MS }),
      typeStore: createMemoryDocuments(MAX_TYPES),
      keyStore: createMemoryDocuments(MAX_API_KEYS),
    }),
    async () => undefined,
    async () => ({}),
  );

/** `ports`: of all servers that hold keys; they are emptied, and their clock is set back to where every world begins. */
export async function openRedisWorld(
  name: string,
  store: RedisStore,
  ports: readonly number[],
  clock: RedisClock,
): Promise<World> {
  await clock.set(BEGINS_MS);
  for (const port of ports) await withRedis(port, (redis) => redis.flushall());
  return openWorld(
    name,
    () => ({ store, typeStore: store.types, keyStore: store.apiKeys }),
    (ms) => clock.set(ms),
    async () => {
      const { sessions: _all, parts: _parts, ...off } = await store.drift();
      return Object.fromEntries(Object.entries(off).filter(([, count]) => count > 0));
    },
  );
}
