// Owns random histories of all operations: what happens next, by a seed, and what the model of sessions says to the answer.

import { expect } from 'vitest';
import { seeded } from '../../proof/random.ts';
import { BEGINS_MS, type Held, PER_USER, type Request, type Seen } from './history-world.ts';
import {
  createCrowdModel,
  isAlive,
  type ModelPolicy,
  type ModelSession,
  refreshModel,
  verifyModel,
} from './session-model.ts';
import { bucketMate } from './sessions.ts';
import { DEFAULT_POLICY } from './test-app.ts';
import type { Mishap } from './weather.ts';

/** Something that is done in all worlds. */
export interface Step {
  readonly what: string;
  /** Time that passes; the step is nothing else then. */
  readonly waitMs?: number;
  request(held: Held): Request;
  readonly mishap: Mishap | undefined;
  /** Gets the answer that all worlds agree on, and throws if the model does not. */
  judge(seen: Seen): void;
}

type Doing = Pick<Step, 'what' | 'request' | 'judge'>;

interface Given {
  readonly session: ModelSession;
  readonly generation: number;
  readonly expiresAtMs: number;
}

interface Key {
  readonly id: string;
  readonly text: string;
}

const PRODUCT = 'my-app';
const ENVS = ['prd', 'prd', 'prd', 'dev'];
const TAGS = ['plain', 'chat', 'shop'];
const ADA = { product: PRODUCT, env: 'prd', userId: 'ada' };
const USERS = ['ada', bucketMate(ADA, 'Ω 你好/🙂?#{x}'), 'cy'];
const DAY_MS = 24 * 3_600_000;
const WAITS_MS = [
  ...[1, 1, 1, 999, 4000, 15_000, 20_000, 29_999, 30_000, 60_000],
  ...[899_000, 3_600_000, DAY_MS, 9 * DAY_MS, 40 * DAY_MS],
];
const TYPES: readonly (Partial<ModelPolicy> & { readonly [member: string]: unknown })[] = [
  {},
  { retryUntilUsed: true, claims: ['role'] },
  { maxSessionsPerUser: 2 },
  { maxSessionsPerUser: 2, onLimit: 'evict_oldest', retryUntilUsed: true },
  { maxSessionsPerUser: 1, onLimit: 'evict_oldest', claims: ['role', 'level'] },
  {
    ...{ tokenTtlSeconds: 60, idleTtlSeconds: 3600, absoluteTtlSeconds: 7201 },
    refreshRetrySeconds: 0,
  },
  { tokenTtlSeconds: 60, refreshRetrySeconds: 300, detailsSchema: { required: ['role'] } },
];
const DETAILS = [{}, { role: 'admin' }, { role: 7, level: null }, { role: 'x'.repeat(1100) }];
const PERMISSIONS = [['verify'], ['verify', 'read'], ['issue', 'refresh'], ['admin', 'verify']];

const ms = (time: unknown): number => Date.parse(String(time));

export function createHistory(seed: number) {
  const random = seeded(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const perhaps = (chance: number): boolean => random() < chance;
  const crowd = createCrowdModel(PER_USER);
  const policies = new Map<string, ModelPolicy>();
  const claims = new Map<string, { body: string; given: Given; untilMs: number }>();
  const given: Given[] = [];
  const keys: Key[] = [];
  const revoked = new Set<string>();
  const etags: string[] = ['"none"'];
  let nowMs = BEGINS_MS;

  const policyOf = (tag: string): ModelPolicy => policies.get(tag) ?? DEFAULT_POLICY;
  const nameOf = (env: string, userId: string): string => `${env}/${userId}`;
  const somebody = () => {
    const [env, userId] = [pick(ENVS), pick(USERS)];
    return { env, userId, user: nameOf(env, userId) };
  };
  const tagOrAll = () => pick([undefined, ...TAGS]);
  const query = (members: Readonly<Record<string, string | undefined>>): string =>
    Object.entries(members)
      .flatMap(([name, value]) =>
        value === undefined ? [] : `&${name}=${encodeURIComponent(value)}`,
      )
      .join('')
      .replace('&', '?');
  const usersAt = (env: string) => `/users/${PRODUCT}/${env}`;
  const userAt = (env: string, userId: string) => `${usersAt(env)}/${encodeURIComponent(userId)}`;
  const addressOf = ({ id, user, tag }: ModelSession): string =>
    `/sessions/${PRODUCT}/${user.split('/')[0]}/${tag}/${id}`;
  /** A session that an answer has named, whether or not it lives. */
  const anySession = (): ModelSession | undefined =>
    given[Math.floor(random() * given.length)]?.session;
  const accept = () => undefined;

  /** Index of something that was given out: of late, or whenever. */
  const anyGiven = (): number =>
    perhaps(0.6)
      ? Math.max(0, given.length - 1 - Math.floor(random() * 4))
      : Math.floor(random() * given.length);

  function give(session: ModelSession, { body }: Seen): Given {
    expect(ms(body['expiresAt'])).toBe(session.tokenExpiresAtMs);
    expect(ms(body['refreshExpiresAt'])).toBe(session.expiresAtMs);
    expect(body['sessionId']).toBe(session.id);
    const { generation, tokenExpiresAtMs } = session;
    given.push({ session, generation, expiresAtMs: tokenExpiresAtMs });
    return { session, generation, expiresAtMs: tokenExpiresAtMs };
  }

  /** What a start that was admitted must be answered with. */
  function judgeStart(seen: Seen, tag: string, user: string): Given | undefined {
    const id = String(seen.body['sessionId']);
    const started = crowd.start(policyOf(tag), nowMs, { id, user, tag });
    expect(seen.body['code']).toBe(started ? undefined : 'session_limit_reached');
    if (started === undefined) return undefined;
    const evicted = started.evicted.map((one) => one.id);
    const told = (seen.body['evicted'] as readonly string[] | undefined) ?? [];
    // Those that were ended by a write whose reply was lost are named by no answer.
    if (seen.mishap === undefined) expect(told).toHaveLength(evicted.length);
    for (const [i, each] of told.entries()) expect([undefined, each]).toContain(evicted[i]);
    return give(started.session, seen);
  }

  function start(): Doing {
    const { env, userId, user } = somebody();
    const tag = pick(TAGS);
    const body = { product: PRODUCT, env, tag, data: { userId, details: pick(DETAILS) } };
    return {
      what: `start ${JSON.stringify(body).slice(0, 150)}`,
      request: () => ({ method: 'POST', url: '/sessions', body }),
      judge(seen) {
        // The details are not what the type asks for.
        if (seen.status === 400) return;
        // The one whose reply was lost is there too; nobody was told its name.
        if (seen.sentAgain) crowd.start(policyOf(tag), nowMs, { user, tag });
        judgeStart(seen, tag, user);
      },
    };
  }

  function startOnce(): Doing {
    const { env, userId, user } = somebody();
    const tag = pick(TAGS);
    const key = pick(['one', 'two', 'three']);
    const body = {
      product: PRODUCT,
      env,
      tag,
      data: { userId, details: pick(DETAILS.slice(0, 3)) },
    };
    return {
      what: `start under the key ${key} ${JSON.stringify(body)}`,
      request: () => ({
        method: 'POST',
        url: '/sessions',
        headers: { 'idempotency-key': key },
        body,
      }),
      judge(seen) {
        const claim = claims.get(key);
        if (claim === undefined || nowMs >= claim.untilMs) {
          if (seen.status === 400) return;
          const fresh = judgeStart(seen, tag, user);
          if (fresh)
            claims.set(key, { body: JSON.stringify(body), given: fresh, untilMs: nowMs + DAY_MS });
          return;
        }
        const { session, expiresAtMs } = claim.given;
        const stands = isAlive(session, nowMs) && session.generation === 0 && nowMs < expiresAtMs;
        if (claim.body !== JSON.stringify(body)) {
          // A refused body never becomes a start; whether it is the body or the key that is named is no matter.
          expect(['idempotency_key_reused', 'invalid_request']).toContain(seen.body['code']);
        } else if (stands) give(session, seen);
        else expect(seen.body['code']).toBe('idempotency_key_expired');
      },
    };
  }

  function refresh(): Doing {
    const index = anyGiven();
    const { session, generation } = given[index] as Given;
    return {
      what: `refresh with token ${index}, generation ${generation} of ${session.id}`,
      request: ({ refreshTokens }) => ({
        method: 'POST',
        url: '/sessions/refresh',
        body: { refreshToken: refreshTokens[index] },
      }),
      judge(seen) {
        const policy = policyOf(session.tag);
        if (seen.sentAgain) refreshModel(session, generation, nowMs, policy);
        const expected = refreshModel(session, generation, nowMs, policy);
        if (expected === 'reused' || expected === 'ended') {
          expect(seen.body).toMatchObject({ code: 'invalid_refresh_token', reason: expected });
          return;
        }
        expect(seen.headers['session-refresh']).toBe(
          expected === 'rotated' ? 'rotated' : 'replayed',
        );
        give(session, seen);
      },
    };
  }

  function verify(key?: Key): Doing {
    const index = anyGiven();
    const token = given[index] as Given;
    return {
      what: `verify token ${index}${key ? ` with the key ${key.id}` : ''}`,
      request: ({ tokens }) => ({
        method: 'POST',
        url: '/sessions/verify',
        body: { token: tokens[index] },
        key: key?.text,
      }),
      judge({ status, body }) {
        if (key && revoked.has(key.id)) expect(status).toBe(401);
        if (key && body['valid'] !== true) return;
        const expected = verifyModel(token.session, token, nowMs);
        expect(body['reason'] ?? 'valid').toBe(expected);
      },
    };
  }

  function revokeByToken(): Doing {
    const index = anyGiven();
    const { session } = given[index] as Given;
    const what = pick(['token', 'refreshToken'] as const);
    return {
      what: `revoke by ${what} ${index}`,
      request: ({ tokens, refreshTokens }) => ({
        method: 'POST',
        url: '/sessions/revoke',
        body: { [what]: (what === 'token' ? tokens : refreshTokens)[index] },
      }),
      judge({ status }) {
        expect(status).toBe(204);
        session.ended = true;
      },
    };
  }

  function revokeByAddress(session: ModelSession): Doing {
    return {
      what: `revoke ${session.id}`,
      request: () => ({ method: 'DELETE', url: addressOf(session) }),
      judge({ status }) {
        expect(status).toBe(204);
        session.ended = true;
      },
    };
  }

  function revokeUser(): Doing {
    const { env, userId, user } = somebody();
    const tag = tagOrAll();
    const except = perhaps(0.3) ? anySession()?.id : undefined;
    return {
      what: `revoke the user ${user} under ${tag} but ${except}`,
      request: () => ({
        method: 'DELETE',
        url: `${userAt(env, userId)}/sessions${query({ tag, except })}`,
      }),
      judge({ status }) {
        expect(status).toBe(200);
        crowd.endUser(user, tag, nowMs, except);
      },
    };
  }

  function erase(): Doing {
    const { env, userId, user } = somebody();
    return {
      what: `erase ${user}`,
      request: () => ({ method: 'DELETE', url: userAt(env, userId) }),
      judge({ status }) {
        expect(status).toBe(204);
        crowd.endUser(user, undefined, nowMs);
      },
    };
  }

  function read(session: ModelSession): Doing {
    return {
      what: `read ${session.id}`,
      request: () => ({ method: 'GET', url: addressOf(session) }),
      judge({ status, body, headers }) {
        expect(status).toBe(isAlive(session, nowMs) ? 200 : 404);
        if (status !== 200) return;
        expect(body['refreshCount']).toBe(session.generation);
        etags.push(String(headers['etag']));
      },
    };
  }

  function change(session: ModelSession): Doing {
    const details = pick([
      { role: 'user' },
      { role: null },
      { level: [1, { a: 2 }] },
      DETAILS[3],
      {},
    ]);
    const condition = perhaps(0.5)
      ? { 'if-match': perhaps(0.6) ? (etags.at(-1) ?? '') : pick(etags) }
      : {};
    return {
      what: `patch ${session.id} if ${condition['if-match']} by ${JSON.stringify(details).slice(0, 40)}`,
      request: () => ({
        method: 'PATCH',
        url: addressOf(session),
        headers: condition,
        body: { data: { details } },
      }),
      judge({ status, headers }) {
        if (!isAlive(session, nowMs)) expect(status).toBe(404);
        else expect([200, 400, 412]).toContain(status);
        if (status === 200) etags.push(String(headers['etag']));
      },
    };
  }

  /** A whole list names all that live and none that does not. */
  function judgeList(listed: unknown, of: (session: ModelSession) => boolean): void {
    const ids = (listed as readonly { sessionId: string }[]).map(({ sessionId }) => sessionId);
    const own = crowd.all.filter(of);
    expect(ids).toHaveLength(own.filter((one) => isAlive(one, nowMs)).length);
    for (const one of own) {
      if (one.id === undefined) continue;
      expect(ids.includes(one.id), `${one.id} is listed`).toBe(isAlive(one, nowMs));
    }
  }

  function list(): Doing {
    const { env, userId, user } = somebody();
    const tag = pick(TAGS);
    const whose = perhaps(0.5) ? userId : undefined;
    const limit = pick(['1', '2', '100']);
    return {
      what: `list ${env} ${tag} of ${whose ?? 'all'} by ${limit}`,
      request: () => ({
        method: 'GET',
        url: `/sessions/${PRODUCT}/${env}/${tag}${query({ limit, userId: whose })}`,
        pages: 'sessions',
        unordered: whose === undefined,
      }),
      judge({ body }) {
        judgeList(
          body['sessions'],
          (one) =>
            one.tag === tag &&
            one.user.startsWith(`${env}/`) &&
            (whose === undefined || one.user === user),
        );
      },
    };
  }

  function readUser(): Doing {
    const { env, userId, user } = somebody();
    const tag = tagOrAll();
    return {
      what: `read the user ${user} under ${tag}`,
      request: () => ({
        method: 'GET',
        url: `${userAt(env, userId)}${query({ limit: '3', tag })}`,
        pages: 'sessions',
      }),
      judge({ status, body }) {
        if (status === 200) {
          judgeList(body['sessions'], (one) => one.user === user && (tag ?? one.tag) === one.tag);
        }
      },
    };
  }

  function listUsers(): Doing {
    const { env } = somebody();
    const tag = tagOrAll();
    return {
      what: `list the users of ${env} under ${tag}`,
      request: () => ({
        method: 'GET',
        url: `${usersAt(env)}${query({ limit: '1', tag })}`,
        pages: 'users',
        unordered: true,
      }),
      judge: accept,
    };
  }

  function stats(): Doing {
    const { env } = somebody();
    const tag = tagOrAll();
    return {
      what: `stats of ${env} under ${tag}`,
      request: () => ({ method: 'GET', url: `/stats/${PRODUCT}/${env}${query({ tag })}` }),
      judge({ body }) {
        const alive = crowd.all.filter(
          (one) =>
            isAlive(one, nowMs) && one.user.startsWith(`${env}/`) && (tag ?? one.tag) === one.tag,
        );
        expect(body['activeSessions']).toBe(alive.length);
        expect(body['activeUsers']).toBe(new Set(alive.map((one) => one.user)).size);
      },
    };
  }

  const typeAt = (tag: string) => `/session-types/${PRODUCT}/${tag}`;

  function putType(): Doing {
    const tag = pick(TAGS);
    const body = pick(TYPES);
    const headers = perhaps(0.2) ? { 'if-match': pick(etags) } : {};
    return {
      what: `put the type of ${tag} ${JSON.stringify(body)}`,
      request: () => ({ method: 'PUT', url: typeAt(tag), headers, body }),
      judge({ status, headers: { etag } }) {
        expect([200, 201, 412]).toContain(status);
        if (status === 412) return;
        policies.set(tag, { ...DEFAULT_POLICY, ...body });
        etags.push(String(etag));
      },
    };
  }

  function removeType(): Doing {
    const tag = pick(TAGS);
    return {
      what: `remove the type of ${tag}`,
      request: () => ({ method: 'DELETE', url: typeAt(tag) }),
      judge({ status }) {
        expect(status).toBe(204);
        policies.delete(tag);
      },
    };
  }

  function readTypes(): Doing {
    const url = pick([`/session-types/${PRODUCT}`, typeAt(pick(TAGS))]);
    return { what: `read ${url}`, request: () => ({ method: 'GET', url }), judge: accept };
  }

  function makeKey(): Doing {
    const body = {
      name: 'of a history',
      permissions: pick(PERMISSIONS),
      ...(perhaps(0.7) ? { product: PRODUCT, env: pick(ENVS) } : {}),
      ...(perhaps(0.2) ? { tags: [pick(TAGS)] } : {}),
      ...(perhaps(0.3)
        ? { expiresAt: new Date(nowMs + pick([1, 60_000, DAY_MS])).toISOString() }
        : {}),
    };
    return {
      what: `make a key ${JSON.stringify(body)}`,
      request: () => ({ method: 'POST', url: '/api-keys', body }),
      judge({ status, body: made }) {
        expect(status).toBe(201);
        keys.push({ id: String(made['id']), text: String(made['key']) });
      },
    };
  }

  function rotateKey({ id }: Key): Doing {
    const overlapSeconds = pick([0, 1, 3600]);
    return {
      what: `rotate the key ${id} with ${overlapSeconds} s`,
      request: () => ({ method: 'POST', url: `/api-keys/${id}/rotate`, body: { overlapSeconds } }),
      judge({ status, body }) {
        expect(status).toBe(revoked.has(id) ? 404 : 200);
        if (status === 200) keys.push({ id, text: String(body['key']) });
      },
    };
  }

  function revokeKey({ id }: Key): Doing {
    return {
      what: `revoke the key ${id}`,
      request: () => ({ method: 'DELETE', url: `/api-keys/${id}` }),
      judge({ status }) {
        expect(status).toBe(204);
        revoked.add(id);
      },
    };
  }

  const readKeys = (): Doing => {
    const url = pick(['/api-keys', `/api-keys/${pick(keys)?.id ?? 'none'}`]);
    return { what: `read ${url}`, request: () => ({ method: 'GET', url }), judge: accept };
  };

  /** By weight; what needs something that is not there yet is a start instead. */
  const doings: readonly (readonly [number, () => Doing | undefined])[] = [
    [13, start],
    [9, startOnce],
    [22, () => (given.length > 0 ? refresh() : undefined)],
    [9, () => (given.length > 0 ? verify() : undefined)],
    [2, () => (given.length > 0 ? revokeByToken() : undefined)],
    [2, () => mapped(anySession(), revokeByAddress)],
    [2, revokeUser],
    [1, erase],
    [4, () => mapped(anySession(), read)],
    [6, () => mapped(anySession(), change)],
    [5, list],
    [3, readUser],
    [2, listUsers],
    [3, stats],
    [5, putType],
    [1, removeType],
    [1, readTypes],
    [2, makeKey],
    [2, () => mapped(pick(keys), rotateKey)],
    [1, () => mapped(pick(keys), revokeKey)],
    [5, () => mapped(given.length > 0 ? pick(keys) : undefined, verify)],
    [2, readKeys],
  ];
  const total = doings.reduce((sum, [weight]) => sum + weight, 0);

  function choose(): Doing {
    let left = random() * total;
    for (const [weight, make] of doings) {
      left -= weight;
      if (left < 0) return make() ?? start();
    }
    return start();
  }

  return {
    next(): Step {
      if (perhaps(0.2)) {
        const waitMs = pick(WAITS_MS);
        nowMs += waitMs;
        return {
          ...{ what: `wait ${waitMs} ms`, waitMs, mishap: undefined },
          request: () => ({ method: 'GET', url: '/livez' }),
          judge: accept,
        };
      }
      const mishap = perhaps(0.25)
        ? { kind: pick(['twice', 'lost'] as const), at: pick([1, 1, 1, 2, 3]) }
        : undefined;
      return { ...choose(), mishap };
    },
  };
}

const mapped = <T, R>(value: T | undefined, map: (value: T) => R): R | undefined =>
  value === undefined ? undefined : map(value);
