// Owns the Redis store: the port's operations as scripts on the keys of one slot (single, Sentinel, Cluster; Valkey is the same).

import type { DocumentStore } from '../../sessions/document-store.ts';
import type { Locator, Session } from '../../sessions/session.ts';
import {
  type Creation,
  isRotation,
  type SessionStore,
  type StoreDescription,
} from '../../sessions/session-store.ts';
import { walkBuckets } from '../bucket-walk.ts';
import { MAX_API_KEYS, MAX_TYPES } from '../limits.ts';
import { createRedisClaims } from './claims.ts';
import { connectOnce, connectRedis, type RedisTarget } from './connect.ts';
import { createRedisDocuments } from './documents.ts';
import { type DriftReport, reportDrift } from './drift.ts';
import { locateUser, readBucket } from './indexes.ts';
import { inspectRedis, type RedisFacts } from './inspect.ts';
import { CLOCK_KEY, ownKey, RING_KEY, sessionKey, typesKey, writeKeys } from './keys.ts';
import { readSession, timeMs } from './reading.ts';
import { encodeHead, encodeRecord, headOf } from './record.ts';
import { removalOf, removeUser } from './remove-user.ts';
import { createScriptRunner, type ObserveOperation, type ScriptRunner } from './run-script.ts';
import { createRedisUsers } from './users.ts';

export interface RedisStoreOptions {
  readonly target: RedisTarget;
  /** Acknowledgements of replicas that a write needs. */
  readonly waitReplicas: number;
  /** How long a user is kept after its last session. */
  readonly userRetentionMs: number;
  readonly monotonicMs: () => number;
  readonly observe: ObserveOperation;
  /** Gets the code of each connection error. */
  readonly onTrouble: (code: string) => void;
}

export interface RedisStore extends SessionStore {
  /** Session types, on the same connections. */
  readonly types: DocumentStore;
  /** API keys and their last uses. */
  readonly apiKeys: DocumentStore;
  /** Reads version, eviction policy, persistence and clock of every primary; `describe` answers from the last inspection. Rejects with Outage. */
  inspect(): Promise<RedisFacts>;
  /** Recounts all that is kept; for an operator's command, not for a request. */
  drift(): Promise<DriftReport>;
}

async function readAll(
  runner: ScriptRunner,
  locators: readonly Locator[],
): Promise<readonly Session[]> {
  const readings = await Promise.all(locators.map((locator) => readSession(runner, locator)));
  return readings.flatMap(({ session }) => session ?? []);
}

export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { target, waitReplicas, userRetentionMs, monotonicMs, observe, onTrouble } = options;
  const client = connectRedis(target, onTrouble);
  const runner = createScriptRunner({
    client,
    openAnother: () => connectRedis(target, onTrouble),
    openOnce: () => connectOnce(target, onTrouble),
    replicas: waitReplicas,
    monotonicMs,
    observe,
  });
  const { run, runDurably, runDurablyOnce } = runner;
  let description: StoreDescription = {
    store: 'redis',
    mode: target.mode,
    durability: 'unknown',
    acknowledgedReplicas: waitReplicas,
  };

  /** What every write of a session begins with. */
  const write = (session: Session) => ({
    keys: writeKeys(session),
    args: [
      encodeRecord(session),
      session.expiresAtMs,
      session.sessionId,
      session.tag,
      session.userId,
      userRetentionMs,
      session.refreshedAtMs,
    ],
  });

  /** Looked at and waited for in one pipeline: sent apart, a failover between them would confirm what another primary had said. */
  async function confirm(locator: Locator, found: Session | undefined): Promise<boolean> {
    if (waitReplicas === 0) return true;
    const args = [found === undefined ? '' : encodeHead(found)];
    const [isSo] = await runDurably('compare', { keys: [sessionKey(locator)], args });
    return Number(isSo) === 1;
  }

  /** The reply to a create was lost: it was carried out if the session is there as it was written, and is unknown otherwise. */
  async function readBack(session: Session, outage: unknown): Promise<readonly unknown[]> {
    const [, , record] = (await run('read', [sessionKey(session)])) as unknown[];
    if (!Buffer.isBuffer(record) || !encodeHead(session).equals(headOf(record))) throw outage;
    if (!(await confirm(session, session))) throw outage;
    return ['created'];
  }

  return {
    types: createRedisDocuments(runner, typesKey, MAX_TYPES),
    apiKeys: createRedisDocuments(runner, ownKey, MAX_API_KEYS),
    describe: () => description,
    async inspect() {
      const facts = await inspectRedis(client);
      await runner.reach();
      description = { ...description, durability: facts.durability };
      return facts;
    },
    drift: () => reportDrift(client, runner),
    async now() {
      const [seconds, microseconds] = (await run('read', [CLOCK_KEY])) as unknown[];
      return timeMs(seconds, microseconds);
    },

    async create(session, { perUser, underTag }) {
      const { keys, args } = write(session);
      const limits = underTag ? [perUser, underTag.most, underTag.onLimit] : [perUser];
      const evicted: string[] = [];
      for (;;) {
        const reply = await runDurablyOnce('create', { keys, args: [...args, ...limits] }).catch(
          (outage: unknown) => readBack(session, outage),
        );
        const [outcome, ...gone] = (reply as readonly unknown[]).map(String);
        if (outcome === 'skewed') return { outcome, evicted, nowMs: Number(gone[0]) };
        evicted.push(...gone);
        if (outcome !== 'again') return { outcome: outcome as Creation['outcome'], evicted };
      }
    },
    read: (locator) => readSession(runner, locator),
    async replace(current, next) {
      const { keys, args } = write(next);
      const [reply] = await runDurably('replace', {
        keys,
        args: [
          ...args,
          encodeHead(current),
          current.expiresAtMs,
          isRotation(current, next) ? 1 : 0,
        ],
      });
      return String(reply) as 'replaced' | 'stale';
    },
    async remove(session) {
      const [removed] = await runDurably('remove', removalOf([session], userRetentionMs));
      return Number(removed) === 1;
    },
    confirm,

    async listUser({ limit, after, ...user }) {
      const { located } = await locateUser(run, user);
      const rest = located.filter(({ sessionId }) => after === undefined || sessionId < after);
      const page = rest.slice(0, limit);
      return {
        sessions: await readAll(runner, page),
        next: rest.length > limit ? page.at(-1)?.sessionId : undefined,
      };
    },
    async listTag(query) {
      const { product, env, tag, limit, after } = query;
      const found = await walkBuckets(
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
    removeUser: (removal) => removeUser(runner, userRetentionMs, removal),

    ...createRedisUsers(runner, userRetentionMs),
    ...createRedisClaims(runner),

    async readRing() {
      const [, , sealed] = (await run('read', [RING_KEY])) as unknown[];
      return Buffer.isBuffer(sealed) ? sealed.toString() : undefined;
    },
    async replaceRing(current, next) {
      const [swapped] = await runDurably('swap', { keys: [RING_KEY], args: [current ?? '', next] });
      return Number(swapped) === 1;
    },

    close: async () => runner.close(),
  };
}
