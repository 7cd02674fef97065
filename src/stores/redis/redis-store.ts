// Owns the Redis store: the port's operations as scripts on the keys of one slot (single, Sentinel, Cluster; Valkey is the same).

import { isLive, type Locator, type Session } from '../../sessions/session.ts';
import { bucketName } from '../../sessions/session-id.ts';
import type {
  Reading,
  SessionStore,
  StoreDescription,
  TagPosition,
  TagQuery,
  UserRemoval,
} from '../../sessions/session-store.ts';
import { walkTag } from '../tag-walk.ts';
import { connectRedis, type RedisTarget } from './connect.ts';
import { inspectRedis, type RedisFacts } from './inspect.ts';
import {
  CLOCK_KEY,
  fenceKey,
  keysOf,
  parseUserMember,
  RING_KEY,
  sessionKey,
  tagKey,
  userKey,
  userMember,
} from './keys.ts';
import { decodeRecord, encodeHead, encodeRecord } from './record.ts';
import { createScriptRunner, type ObserveOperation, type ScriptRunner } from './run-script.ts';

export interface RedisStoreOptions {
  readonly target: RedisTarget;
  /** Acknowledgements of replicas that a write needs. */
  readonly waitReplicas: number;
  readonly monotonicMs: () => number;
  readonly observe: ObserveOperation;
  /** Gets the code of each connection error. */
  readonly onTrouble: (code: string) => void;
}

export interface RedisStore extends SessionStore {
  /** Reads version, eviction policy, persistence and clock of every primary; `describe` answers from the last inspection. Rejects with Outage. */
  inspect(): Promise<RedisFacts>;
}

/** Sessions of a revoked user removed at once; between two such groups other work gets its turn. */
const REMOVE_AT_ONCE = 250;

const timeMs = (seconds: unknown, microseconds: unknown): number =>
  Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);

const decodeLive = (record: unknown, locator: Locator, nowMs: number): Session | undefined => {
  if (!Buffer.isBuffer(record)) return undefined;
  const session = decodeRecord(record, locator);
  return isLive(session, nowMs) ? session : undefined;
};

async function readSession({ run }: ScriptRunner, locator: Locator): Promise<Reading> {
  const [seconds, microseconds, record] = (await run('read', [sessionKey(locator)])) as unknown[];
  const nowMs = timeMs(seconds, microseconds);
  return { nowMs, session: decodeLive(record, locator, nowMs) };
}

interface IndexEntry {
  readonly member: string;
  readonly score: number;
}

/** Live entries of an index from `lowestScore` on, in order. */
async function readIndex(
  { run }: ScriptRunner,
  index: string,
  lowestScore: number,
  offset: number,
  count: number,
): Promise<readonly IndexEntry[]> {
  const flat = (await run('slice', [index], [lowestScore, offset, count])) as Buffer[];
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    member: String(flat[2 * i]),
    score: Number(flat[2 * i + 1]),
  }));
}

/** One bucket's part of a walk. Entries of the same millisecond as the cursor are told apart by id, in as many slices as it takes. */
async function readBucket(
  runner: ScriptRunner,
  query: TagQuery,
  bucket: number,
  after: TagPosition | undefined,
  count: number,
): Promise<readonly TagPosition[]> {
  const index = tagKey(query, bucketName(bucket));
  const found: TagPosition[] = [];
  for (let offset = 0; found.length < count; offset += count) {
    const entries = await readIndex(runner, index, after?.expiresAtMs ?? 0, offset, count);
    for (const { member, score } of entries) {
      const seen = after && score === after.expiresAtMs && member <= after.sessionId;
      if (!seen) found.push({ bucket, expiresAtMs: score, sessionId: member });
    }
    if (entries.length < count) break;
  }
  return found.slice(0, count);
}

/** All live sessions of a user as locators, newest first. */
async function locateUser(
  runner: ScriptRunner,
  user: Omit<UserRemoval, 'except'>,
): Promise<readonly Locator[]> {
  const entries = await readIndex(runner, userKey(user), 0, 0, -1);
  return entries
    .map(({ member }) => ({ product: user.product, env: user.env, ...parseUserMember(member) }))
    .filter(({ tag }) => user.tag === undefined || tag === user.tag)
    .sort((a, b) => (a.sessionId < b.sessionId ? 1 : -1));
}

async function readAll(
  runner: ScriptRunner,
  locators: readonly Locator[],
): Promise<readonly Session[]> {
  const readings = await Promise.all(locators.map((locator) => readSession(runner, locator)));
  return readings.flatMap(({ session }) => session ?? []);
}

export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { target, waitReplicas, monotonicMs, observe, onTrouble } = options;
  const client = connectRedis(target, onTrouble);
  const runner = createScriptRunner({
    client,
    openAnother: () => connectRedis(target, onTrouble),
    replicas: waitReplicas,
    monotonicMs,
    observe,
  });
  const { run, runDurably } = runner;
  let description: StoreDescription = {
    store: 'redis',
    mode: target.mode,
    durability: 'unknown',
    acknowledgedReplicas: waitReplicas,
  };

  const removeOne = (at: Locator & { readonly userId: string }) =>
    runDurably('remove', keysOf(at), [at.sessionId, userMember(at)]);

  return {
    describe: () => description,
    async inspect() {
      const facts = await inspectRedis(client);
      description = { ...description, durability: facts.durability };
      return facts;
    },
    async now() {
      const [seconds, microseconds] = (await run('read', [CLOCK_KEY])) as unknown[];
      return timeMs(seconds, microseconds);
    },

    async create(session, maxPerUser) {
      const args = [session.expiresAtMs, session.sessionId, userMember(session), maxPerUser];
      const reply = await runDurably('create', keysOf(session), [encodeRecord(session), ...args]);
      return String(reply) as 'created' | 'taken' | 'limit_reached';
    },
    read: (locator) => readSession(runner, locator),
    async replace(current, next) {
      const reply = await runDurably('replace', keysOf(next), [
        encodeRecord(next),
        next.expiresAtMs,
        next.sessionId,
        userMember(next),
        encodeHead(current),
        current.expiresAtMs,
      ]);
      return String(reply) as 'replaced' | 'stale';
    },
    remove: async (session) => Number(await removeOne(session)) === 1,
    async confirm(locator) {
      if (waitReplicas > 0) await runDurably('fence', [fenceKey(locator)]);
    },

    async listUser({ limit, after, ...user }) {
      const located = await locateUser(runner, user);
      const rest = located.filter(({ sessionId }) => after === undefined || sessionId < after);
      const page = rest.slice(0, limit);
      return {
        sessions: await readAll(runner, page),
        next: rest.length > limit ? page.at(-1)?.sessionId : undefined,
      };
    },
    async listTag(query) {
      const { product, env, tag, limit, after } = query;
      const found = await walkTag(
        (bucket, from, count) => readBucket(runner, query, bucket, from, count),
        after,
        limit + 1,
      );
      const page = found.slice(0, limit);
      return {
        sessions: await readAll(
          runner,
          page.map(({ sessionId }) => ({ product, env, tag, sessionId })),
        ),
        next: found.length > limit ? page.at(-1) : undefined,
      };
    },
    async removeUser({ except, ...user }) {
      const located = await locateUser(runner, user);
      const ending = located.filter(({ sessionId }) => sessionId !== except);
      for (let done = 0; done < ending.length; done += REMOVE_AT_ONCE) {
        const group = ending.slice(done, done + REMOVE_AT_ONCE);
        await Promise.all(group.map((at) => removeOne({ ...at, userId: user.userId })));
      }
      return ending.length;
    },

    async readRing() {
      const [, , sealed] = (await run('read', [RING_KEY])) as unknown[];
      return Buffer.isBuffer(sealed) ? sealed.toString() : undefined;
    },
    replaceRing: async (current, next) =>
      Number(await runDurably('swap', [RING_KEY], [current ?? '', next])) === 1,

    close: async () => runner.close(),
  };
}
