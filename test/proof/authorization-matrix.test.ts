// Owns the authorization matrix: every form of credential × permission × scope × endpoint × object, judged by an independent policy.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Caller, PERMISSIONS, type Permission } from '../../src/callers/caller.ts';
import { type Answer, call, type Method, type Pair, START, start } from '../http/api.ts';
import { createWatchedApp, type WatchedApp } from '../http/watched-app.ts';
import { routesOf } from '../support/routes.ts';
import { type Cell, type Deed, ELSEWHERE, expected, PLACE } from './policy.ts';

const PERMISSION_SETS: readonly (readonly Permission[])[] = [
  [],
  ...PERMISSIONS.map((each) => [each]),
  PERMISSIONS,
];
const SCOPES: readonly Caller['scope'][] = [
  {},
  { product: PLACE.product },
  PLACE,
  { product: ELSEWHERE },
  { product: 'my-ap' },
  { product: 'my-app2' },
  { product: 'My-App' },
  { ...PLACE, env: 'dev' },
  { ...PLACE, env: 'prd2' },
  { ...PLACE, env: 'pr' },
  { ...PLACE, env: 'PRD' },
  { ...PLACE, tags: [START.tag] },
  { ...PLACE, tags: ['other', 'user-sessio', 'User-Session'] },
];

/** Headers and query with which a key is presented. */
interface Presented {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
}
const CREDENTIALS: readonly {
  readonly name: string;
  readonly good: boolean;
  /** `key`: of the configuration; `stored`: one of the store that may do the same. */
  readonly present: (key: string, stored: string) => Presented;
}[] = [
  { name: 'right', good: true, present: (key) => bearer(`Bearer ${key}`) },
  { name: 'stored', good: true, present: (_, stored) => bearer(`BEARER ${stored}`) },
  { name: 'none', good: false, present: () => ({}) },
  { name: 'empty', good: false, present: () => bearer('') },
  { name: 'scheme alone', good: false, present: () => bearer('Bearer ') },
  { name: 'no scheme', good: false, present: (key) => bearer(key) },
  { name: 'cut short', good: false, present: (key) => bearer(`Bearer ${key.slice(0, -1)}`) },
  { name: 'longer', good: false, present: (key) => bearer(`Bearer ${key}x`) },
  { name: 'other case', good: false, present: (key) => bearer(`Bearer ${key.toUpperCase()}`) },
  { name: 'twice', good: false, present: (key) => bearer(`Bearer ${key}, Bearer ${key}`) },
  {
    name: 'Basic',
    good: false,
    present: (key) => bearer(`Basic ${Buffer.from(`${key}:${key}`).toString('base64')}`),
  },
  { name: 'in the query', good: false, present: (key) => ({ query: `access_token=${key}` }) },
  { name: 'X-API-Key', good: false, present: (key) => ({ headers: { 'x-api-key': key } }) },
  {
    name: 'stored, with a typo',
    good: false,
    present: (_, stored) => bearer(`Bearer ${stored.slice(0, -1)}${stored.endsWith('0') ? 1 : 0}`),
  },
  ...(['revoked', 'expired', 'rotated'] as const).map((state) => ({
    name: `stored and ${state}`,
    good: false,
    present: () => bearer(`Bearer ${worn.get(state)}`),
  })),
];
const bearer = (authorization: string): Presented => ({ headers: { authorization } });

/** Stored keys that may do everything and are no longer good. */
const worn = new Map<'revoked' | 'expired' | 'rotated', string>();

type Subject = Pick<Pair, 'token' | 'refreshToken' | 'sessionId'> & {
  readonly userId: string;
  readonly keyId: string;
  /** The user to erase: the others stay, to be read again. */
  readonly erasable: string;
};

interface Endpoint {
  readonly permission: Permission;
  readonly does: Deed;
  readonly method: Method;
  readonly route: string;
  readonly query?: string;
  readonly body?: (subject: Subject) => unknown;
}
const SESSION = '/sessions/:product/:env/:tag/:sessionId';
const USER = '/users/:product/:env/:userId';
const TYPE = '/session-types/:product/:tag';
const ENDPOINTS: readonly Endpoint[] = [
  {
    does: 'start',
    permission: 'issue',
    method: 'POST',
    route: '/sessions',
    body: ({ userId }) => ({ ...START, ...PLACE, data: { userId: `${userId}-too`, details: {} } }),
  },
  {
    does: 'refresh',
    permission: 'refresh',
    method: 'POST',
    route: '/sessions/refresh',
    body: ({ refreshToken }) => ({ refreshToken }),
  },
  {
    does: 'verify',
    permission: 'verify',
    method: 'POST',
    route: '/sessions/verify',
    body: ({ token }) => ({ token }),
  },
  {
    does: 'revoke by token',
    permission: 'revoke',
    method: 'POST',
    route: '/sessions/revoke',
    body: ({ token }) => ({ token }),
  },
  {
    does: 'revoke by refresh token',
    permission: 'revoke',
    method: 'POST',
    route: '/sessions/revoke',
    body: ({ refreshToken }) => ({ refreshToken }),
  },
  { does: 'read', permission: 'read', method: 'GET', route: SESSION },
  { does: 'delete', permission: 'revoke', method: 'DELETE', route: SESSION },
  { does: 'list', permission: 'read', method: 'GET', route: '/sessions/:product/:env/:tag' },
  {
    does: 'delete of user',
    permission: 'revoke',
    method: 'DELETE',
    route: '/users/:product/:env/:userId/sessions',
  },
  {
    does: 'change',
    permission: 'issue',
    method: 'PATCH',
    route: SESSION,
    body: () => ({ data: { details: { changed: true } } }),
  },
  { does: 'list users', permission: 'read', method: 'GET', route: '/users/:product/:env' },
  { does: 'read user', permission: 'read', method: 'GET', route: USER },
  { does: 'erase', permission: 'revoke', method: 'DELETE', route: USER },
  { does: 'list users', permission: 'read', method: 'GET', route: '/stats/:product/:env' },
  ...(['/users/:product/:env', '/stats/:product/:env'] as const).map((route) => ({
    ...({ does: 'list users of a tag', permission: 'read', method: 'GET', route } as const),
    query: `tag=${START.tag}`,
  })),
  {
    does: 'delete of user under a tag',
    permission: 'revoke',
    method: 'DELETE',
    route: '/users/:product/:env/:userId/sessions',
    query: `tag=${START.tag}`,
  },
  // In this order: those that may change a type put one, which is there until they remove it.
  { does: 'put type', permission: 'admin', method: 'PUT', route: TYPE, body: () => ({}) },
  { does: 'read type', permission: 'admin', method: 'GET', route: TYPE },
  { does: 'list types', permission: 'admin', method: 'GET', route: '/session-types/:product' },
  {
    does: 'check type',
    permission: 'admin',
    method: 'POST',
    route: `${TYPE}/check`,
    body: () => ({ type: {}, env: PLACE.env, sample: 1 }),
  },
  { does: 'delete type', permission: 'admin', method: 'DELETE', route: TYPE },
  {
    does: 'make key',
    permission: 'admin',
    method: 'POST',
    route: '/api-keys',
    body: () => ({ name: 'x', permissions: ['admin'], product: 'another' }),
  },
  { does: 'list keys', permission: 'admin', method: 'GET', route: '/api-keys' },
  { does: 'read key', permission: 'admin', method: 'GET', route: '/api-keys/:id' },
  { does: 'delete key', permission: 'admin', method: 'DELETE', route: '/api-keys/:id' },
  {
    does: 'rotate key',
    permission: 'admin',
    method: 'POST',
    route: '/api-keys/:id/rotate',
    body: () => ({ overlapSeconds: 0 }),
  },
  { does: 'metrics', permission: 'metrics', method: 'GET', route: '/metrics' },
];

const keyOf = (permissions: readonly Permission[], scope: Caller['scope']): string =>
  `key-${permissions.length === 1 ? permissions[0] : permissions.length}-${scope.product ?? 'any'}-${scope.env ?? 'any'}-${scope.tags?.length ?? 'any'}-key`;

const callers = PERMISSION_SETS.flatMap((permissions) =>
  SCOPES.map((scope) => ({
    key: keyOf(permissions, scope),
    caller: { id: keyOf(permissions, scope), permissions: new Set(permissions), scope },
  })),
);

let service: WatchedApp;
beforeAll(async () => {
  service = await createWatchedApp({ callers });
  for (const { key, caller } of callers) {
    const permissions = [...caller.permissions];
    // Nobody can make a key that may do nothing: there the one of the configuration stands in.
    if (permissions.length === 0) stored.set(key, key);
    else stored.set(key, (await makeKey({ permissions, ...caller.scope })).key);
  }
  for (const state of ['revoked', 'expired', 'rotated'] as const) {
    const inASecond = new Date(service.clock.wallMs() + 1000).toISOString();
    const over = state === 'expired' ? { expiresAt: inASecond } : {};
    const { id, key } = await makeKey({ permissions: [...PERMISSIONS], ...over });
    worn.set(state, key);
    const address = `/api-keys/${id}`;
    if (state === 'revoked') await call(service.app, 'DELETE', address);
    const body = { overlapSeconds: 0 };
    if (state === 'rotated') await call(service.app, 'POST', `${address}/rotate`, { body });
  }
  service.clock.advance(1000);
});
afterAll(() => service.app.close());

let users = 0;

/** The stored key beside each configured one. */
const stored = new Map<string, string>();

async function makeKey(over: object): Promise<{ readonly id: string; readonly key: string }> {
  const body = { name: 'x', ...over };
  const made = await call(service.app, 'POST', '/api-keys', { body });
  expect(made.statusCode, made.body).toBe(201);
  return made.json<{ id: string; key: string }>();
}

/** A key that may verify, and nothing else, in this part of the hierarchy. */
const keyIn = async (scope: object): Promise<string> =>
  (await makeKey({ permissions: ['verify'], ...scope })).id;

async function liveSubject(): Promise<Subject> {
  const userId = `user_${users++}`;
  return {
    userId,
    keyId: await keyIn(PLACE),
    erasable: userId,
    ...(await start(service.app, { data: { ...START.data, userId } })),
  };
}

/** Somebody else's session, user and key; its tokens would be good where it belongs, so others stand in for them. */
async function foreignSubject(absent: Subject): Promise<Subject> {
  const userId = `stranger_${users++}`;
  const body = { ...START, product: ELSEWHERE, data: { ...START.data, userId } };
  const started = await call(service.app, 'POST', '/sessions', { body });
  const { sessionId } = started.json<Pair>();
  return {
    ...absent,
    userId,
    erasable: userId,
    sessionId,
    keyId: await keyIn({ product: ELSEWHERE }),
  };
}

const ask = (endpoint: Endpoint, subject: Subject, { headers, query }: Presented) => {
  const address = endpoint.route
    .replace(':product', PLACE.product)
    .replace(':env', PLACE.env)
    .replace(':tag', START.tag)
    .replace(':sessionId', subject.sessionId)
    .replace(':id', subject.keyId)
    .replace(':userId', endpoint.does === 'erase' ? subject.erasable : subject.userId);
  const queries = [endpoint.query, query].filter((each) => each !== undefined);
  const url = queries.length === 0 ? address : `${address}?${queries.join('&')}`;
  return call(service.app, endpoint.method, url, {
    key: null,
    body: endpoint.body?.(subject),
    ...(headers === undefined ? {} : { headers }),
  });
};

/** An answer in the words of the policy. */
function said({ statusCode, body, headers }: Answer): string {
  const isJson = String(headers['content-type']).includes('json');
  const { code, reason, valid } = (isJson && body !== '' ? JSON.parse(body) : {}) as {
    code?: string;
    reason?: string;
    valid?: boolean;
  };
  const verdict = valid === undefined ? reason : valid ? 'valid' : reason;
  return [statusCode, code, verdict].filter((part) => part !== undefined).join(' ');
}

/** The answer without what names the single occurrence. */
const comparable = ({ statusCode, body, headers }: Answer): string => {
  const { 'request-id': _id, date: _date, ...rest } = headers;
  return JSON.stringify([statusCode, rest, body.replace(/urn:uuid:[0-9a-f-]{36}/, '')]);
};

it('has a row for every route that asks for a key', async () => {
  const guarded = new Set<string>();
  for (const { method, url } of routesOf(service.app)) {
    const { statusCode } = await call(service.app, method, url.replaceAll(':', ''), { key: null });
    // HEAD is GET without its body; any other method on an address is 405.
    if (method !== 'HEAD' && statusCode === 401) guarded.add(`${method} ${url}`);
  }
  expect(guarded).toEqual(new Set(ENDPOINTS.map(({ method, route }) => `${method} ${route}`)));
});

/** So many wrong cells say enough. */
const GIVE_UP_AT = 100;
/** Half a minute alone on two cores. */
const MATRIX_TIMEOUT_MS = 300_000;

it('every cell is answered as the policy says, a refused one leaves no trace, and what is out of reach looks like what is not there', {
  timeout: MATRIX_TIMEOUT_MS,
}, async () => {
  const ended = { ...(await liveSubject()), erasable: 'gone' };
  await call(service.app, 'DELETE', `/sessions/my-app/prd/user-session/${ended.sessionId}`);
  await call(service.app, 'DELETE', `/api-keys/${ended.keyId}`);
  const absent: Subject = {
    userId: 'nobody',
    erasable: 'nobody',
    sessionId: ended.sessionId.slice(0, 13) + randomBytes(16).toString('base64url'),
    keyId: 'x'.repeat(12),
    token: `${ended.token}A`,
    refreshToken: `${ended.refreshToken}A`,
  };
  let live = await liveSubject();
  let foreign = await foreignSubject(absent);
  let cells = 0;
  const wrong: string[] = [];
  for (const credential of CREDENTIALS) {
    for (const permissions of PERMISSION_SETS) {
      for (const scope of credential.good ? SCOPES : SCOPES.slice(0, 3)) {
        for (const endpoint of ENDPOINTS) {
          expect(wrong.length, wrong.slice(0, 20).join('\n')).toBeLessThan(GIVE_UP_AT);
          const refusals = new Map<string, string>();
          for (const object of ['live', 'ended', 'absent', 'foreign'] as const) {
            const cell: Cell = { credential, permissions, scope, endpoint, object };
            const subject = { live, ended, absent, foreign }[object];
            const key = keyOf(permissions, scope);
            const writes = service.writes.length;
            const answer = await ask(
              endpoint,
              subject,
              credential.present(key, stored.get(key) ?? ''),
            );
            cells++;
            const where = `${credential.name}, may ${permissions}, in ${JSON.stringify(scope)}, ${endpoint.does}, ${object}`;
            if (said(answer) !== expected(cell)) {
              wrong.push(`${where}: ${said(answer)} instead of ${expected(cell)}`);
            }
            const done = answer.statusCode < 300 && !said(answer).includes('invalid');
            if (!done && service.writes.length > writes) wrong.push(`${where}: left a trace`);
            const alike = refusals.get(expected(cell)) ?? comparable(answer);
            if (!done && alike !== comparable(answer)) wrong.push(`${where}: tells too much`);
            if (!done) refusals.set(expected(cell), alike);
            if (!done || endpoint.method === 'GET') continue;
            if (object === 'live') live = await liveSubject();
            if (object === 'foreign') foreign = await foreignSubject(absent);
          }
        }
      }
    }
  }
  console.log(`${cells} cells`);
  expect(wrong.slice(0, 20)).toEqual([]);
  expect(cells).toBeGreaterThan(20_000);
});
