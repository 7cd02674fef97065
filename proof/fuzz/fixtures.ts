// Owns what requests need to be valid: live sessions, their tokens, cursors, and the keys that a thief would love to have.

import { randomBytes } from 'node:crypto';
import { importJWK, type JWK } from 'jose';
import { createSealer, type Sealer } from '../../src/sessions/sealing.ts';
import type { Ring } from '../../src/sessions/signing-ring.ts';
import { RING_KEY } from '../../src/stores/redis/keys.ts';
import type { Target } from './target.ts';

export interface Pair {
  readonly token: string;
  readonly refreshToken: string;
  readonly sessionId: string;
}

export interface Fixtures {
  readonly pair: Pair;
  readonly another: Pair;
  readonly cursor: string;
  /** Of another list. */
  readonly foreignCursor: string;
  readonly rootKey: string;
  /** Of a live key that may do nothing here. */
  readonly apiKey: string;
  /** The service's own signing key, as if a token of another kind had been signed with it. */
  readonly signingKey: Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>;
  readonly publicJwk: JWK;
  readonly sealer: (purpose: 'refresh-token' | 'list-cursor', secret?: string) => Sealer;
  /** Good values of parameters and members, by their names. */
  readonly known: ReadonlyMap<string, string>;
}

const PLACE = { product: 'my-app', env: 'prd', tag: 'user-session' };
const USER_ID = 'user_123';

const sealer = (secret: string, purpose: 'refresh-token' | 'list-cursor' | 'signing-ring') =>
  createSealer([secret], purpose, (size) => randomBytes(size));

/** Stands in the details of every session of the fixtures. */
const DETAIL = 'canary-detail-of-the-fuzzer';

export async function createFixtures(target: Target): Promise<Fixtures> {
  const { port, redis, rootKey, secret } = target;
  const call = async <T>(path: string, body?: unknown, method = 'POST'): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { authorization: `Bearer ${rootKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method, body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`no fixture from ${path}: ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const start = (userId: string, tag: string) =>
    call<Pair>('/sessions', {
      ...PLACE,
      tag,
      data: { userId, details: { role: 'x', note: DETAIL } },
    });
  const nextCursorOf = async (list: string): Promise<string> => {
    const { nextCursor } = await call<{ nextCursor?: string }>(`${list}&limit=1`);
    if (nextCursor === undefined) throw new Error('the list gave no cursor');
    return nextCursor;
  };
  const newKey = () =>
    call<{ id: string; key: string }>('/api-keys', { name: 'x', permissions: ['verify'] });
  const newKeyId = async (): Promise<string> => (await newKey()).id;
  const cursorOf = (tag: string, userId: string) =>
    nextCursorOf(`/sessions/${PLACE.product}/${PLACE.env}/${tag}?userId=${userId}`);
  await call(`/session-types/${PLACE.product}/${PLACE.tag}`, { name: 'Login' }, 'PUT');
  await start(USER_ID, PLACE.tag);
  const pair = await start(USER_ID, PLACE.tag);
  await start('user_789', PLACE.tag);
  await start('user_789', 'checkout-flow');
  const another = await start('user_789', 'checkout-flow');
  target.keepSecret('a detail', DETAIL);
  for (const [i, { token, refreshToken }] of [pair, another].entries()) {
    // What is its own of each; the headers read alike.
    target.keepSecret(`token ${i}`, token.slice(token.indexOf('.') + 1));
    target.keepSecret(`refresh token ${i}`, refreshToken.slice(refreshToken.indexOf('.') + 1));
  }
  const sealedRing = (await redis.get(RING_KEY)) ?? '';
  const opened = await sealer(secret, 'signing-ring').open(sealedRing);
  const ring = JSON.parse(opened?.text ?? '[]') as Ring;
  const ownKey = ring[0];
  if (ownKey === undefined) throw new Error('the ring of signing keys is empty');
  const signingKey = await importJWK(ownKey.jwk, ownKey.alg);
  if (signingKey instanceof Uint8Array) throw new Error('the signing key is no key pair');
  const { d: _private, ...publicJwk } = ownKey.jwk;
  const { key: apiKey } = await newKey();
  target.keepSecret('an API key', apiKey);
  const users = `/users/${PLACE.product}/${PLACE.env}`;
  const cursor = await cursorOf(PLACE.tag, USER_ID);
  return {
    pair,
    another,
    cursor,
    foreignCursor: await cursorOf('checkout-flow', 'user_789'),
    rootKey,
    apiKey,
    signingKey,
    publicJwk,
    sealer: (purpose, otherSecret = secret) => sealer(otherSecret, purpose),
    known: new Map(
      Object.entries({
        ...PLACE,
        userId: USER_ID,
        sessionId: pair.sessionId,
        except: pair.sessionId,
        token: pair.token,
        refreshToken: pair.refreshToken,
        cursor,
        // One each: a call may change or remove its own.
        'readApiKey id': await newKeyId(),
        'rotateApiKey id': await newKeyId(),
        'revokeApiKey id': await newKeyId(),
        expiresAt: '2100-01-01T00:00:00.000Z',
        'listUsers cursor': await nextCursorOf(`${users}?tag=${PLACE.tag}`),
        'readUser cursor': await nextCursorOf(`${users}/${USER_ID}?tag=${PLACE.tag}`),
      }),
    ),
  };
}

/** What to call the values of this run in a reproduction. */
export function namesOf({ pair, another, cursor, foreignCursor, rootKey, apiKey }: Fixtures) {
  return new Map([
    [rootKey, 'ROOT_API_KEY'],
    [apiKey, 'API key'],
    [pair.token, 'token of the session'],
    [pair.refreshToken, 'refresh token of the session'],
    [pair.sessionId, 'id of the session'],
    [another.token, "another session's token"],
    [another.refreshToken, "another session's refresh token"],
    [another.sessionId, "another session's id"],
    [cursor, 'cursor'],
    [foreignCursor, "another list's cursor"],
  ]);
}
