// Owns the promises about a command that Redis carried out and whose reply was lost with its connection, at every step of every write.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ScriptName, scripts } from '../../src/stores/redis/scripts.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService, TEST_ROOT_KEY } from '../support/service-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  ANSWERED_MS,
  type Answer,
  ask,
  type Caller,
  claimsOf,
  expectEnded,
  expectUnavailable,
  expectValid,
  listUser,
  newSession,
  type Pair,
  PLACE,
  pairOf,
  RECOVERED_MS,
  refresh,
  removeUser,
  revokeByRefreshToken,
  revokeByToken,
  start,
  untilGood,
} from './service-client.ts';

let redis: RedisServer;
let replica: RedisServer;
let proxy: TcpProxy;
let patient: ServiceProcess;
/** Its callers have no retry window. */
let strict: ServiceProcess;
/** Nor have these, and each of its writes waits for the replica. */
let strictAndDurable: ServiceProcess;
/** Talks to Redis past the proxy. */
let beside: ServiceProcess;
let onLoss: () => void = () => undefined;
/** The scripts whose replies are lost, as they appear on the wire, and how many of them still. */
let fault: { readonly marks: readonly string[]; left: number } = { marks: [], left: 0 };

function loseReplies(script: ScriptName, count: number): void {
  const { lua } = scripts[script];
  // ioredis sends a script's text once on each connection, its digest from then on.
  fault = { marks: [lua, createHash('sha1').update(lua).digest('hex')], left: count };
}

beforeAll(async () => {
  redis = await startRedis({ extraArgs: ['--repl-diskless-sync-delay', '0'] });
  replica = await startRedis({ extraArgs: ['--replicaof', '127.0.0.1', String(redis.port)] });
  proxy = await startTcpProxy(redis.port, {
    onRequest: (bytes) => {
      if (fault.left === 0 || !fault.marks.some((mark) => bytes.includes(mark))) return 'forward';
      fault.left--;
      // The command is on its way to Redis before anything that happens now.
      setTimeout(onLoss, 5);
      return 'swallow-reply-then-reset';
    },
  });
  const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
  [beside, patient, strict, strictAndDurable] = await Promise.all([
    startService({ REDIS_URL: redis.url }),
    startService(env),
    startService({ ...env, REFRESH_RETRY_SECONDS: '0' }),
    startService({ ...env, REFRESH_RETRY_SECONDS: '0', REDIS_WAIT_REPLICAS: '1' }),
  ]);
});
afterAll(async () => {
  const services = [beside, patient, strict, strictAndDurable];
  await Promise.all(services.map((service) => service?.stop()));
  await proxy?.stop();
  await replica?.stop();
  await redis?.stop();
});
beforeEach(async () => {
  // The connections are whole again, and the scripts known on them.
  for (const service of [patient, strict, strictAndDurable]) {
    const answer = await untilGood(() => start(service, 'somebody'), RECOVERED_MS);
    const next = pairOf(await refresh(service, pairOf(answer)));
    expect((await removeUser(service, 'somebody')).status).toBe(200);
    await expectEnded(service, next);
  }
});

/** The answer to a call whose replies at one step are lost, `losses` in a row, and what the caller is told who asks again after a 503. */
async function answerInSpiteOf(
  script: ScriptName,
  losses: number,
  call: () => Promise<Answer>,
): Promise<{ readonly first: Answer; readonly good: Answer }> {
  const before = proxy.swallowedReplies();
  loseReplies(script, losses);
  const first = await call();
  fault = { marks: [], left: 0 };
  const lost = proxy.swallowedReplies() - before;
  if (losses === 1) {
    // ioredis connects and sends the command again: the caller does not even notice.
    expect(lost).toBe(1);
    expect(first.status).toBeLessThan(300);
    expect(first.ms).toBeLessThan(ANSWERED_MS);
    return { first, good: first };
  }
  expect(lost).toBeGreaterThan(1);
  expectUnavailable(first);
  return { first, good: await untilGood(call, RECOVERED_MS) };
}

/** The chain goes on from this pair, and there is no other. */
async function expectOneChain(presented: Pair, successor: Pair): Promise<void> {
  const again = await refresh(patient, presented);
  expect(again.outcome).toBe('replayed');
  expect(claimsOf(pairOf(again))).toEqual(claimsOf(successor));
  await expectValid(patient, successor);
  expect((await refresh(patient, successor)).outcome).toBe('rotated');
}

describe.each([
  { what: 'lost once', losses: 1 },
  { what: 'lost again and again', losses: Number.POSITIVE_INFINITY },
])('a reply $what', ({ what, losses }) => {
  it.each(['read', 'replace'] as const)(
    'of the %s of a refresh makes no second chain',
    async (script) => {
      const presented = await newSession(patient);
      const { good } = await answerInSpiteOf(script, losses, () => refresh(patient, presented));
      await expectOneChain(presented, pairOf(good));
    },
  );

  it.each(['read', 'remove'] as const)(
    'of the %s of a revoke still ends the session',
    async (script) => {
      for (const revoke of [revokeByToken, revokeByRefreshToken]) {
        const session = await newSession(patient);
        const { good } = await answerInSpiteOf(script, losses, () => revoke(patient, session));
        expect(good.status).toBe(204);
        await expectEnded(patient, session);
      }
    },
  );

  it.each(['names', 'remove'] as const)(
    'of the %s of a log-out everywhere still ends all sessions',
    async (script) => {
      const user = `everywhere ${script} ${what}`;
      const sessions = [await newSession(patient, user), await newSession(patient, user)];
      const { good } = await answerInSpiteOf(script, losses, () => removeUser(patient, user));
      expect(good.status).toBe(200);
      for (const session of sessions) await expectEnded(patient, session);
    },
  );
});

it.each<[string, () => ServiceProcess]>([
  ['on one Redis', () => patient],
  ['and waits for a replica', () => strictAndDurable],
])(
  'a start whose reply is lost is sent once, looked for, and answered as good %s',
  async (what, service) => {
    const user = `start ${what}`;
    const before = proxy.swallowedReplies();
    loseReplies('create', Number.POSITIVE_INFINITY);
    const pair = pairOf(await start(service(), user));
    fault = { marks: [], left: 0 };
    expect(proxy.swallowedReplies() - before).toBe(1);
    await expectValid(service(), pair);
    expect((await refresh(service(), pair)).outcome).toBe('rotated');
    const { sessions } = (await listUser(patient, user)).body as { sessions: unknown[] };
    expect(sessions).toHaveLength(1);
  },
);

describe('what was made by a command whose reply was lost', () => {
  /** The service as somebody calls it who names each start. */
  const keyed = ({ url }: ServiceProcess, name: string): Caller => ({
    call: (path, body) =>
      fetch(url + path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${TEST_ROOT_KEY}`,
          'content-type': 'application/json',
          'idempotency-key': name,
        },
        body: JSON.stringify(body),
      }),
  });

  /** What happens at another instance between the loss and whatever this one does about it. */
  async function meanwhile<T>(
    script: ScriptName,
    call: () => Promise<Answer>,
    work: () => Promise<T>,
  ) {
    const done = new Promise<T>((resolve) => {
      onLoss = () => resolve(work());
    });
    loseReplies(script, 1);
    const answer = await call();
    const result = await done;
    onLoss = () => undefined;
    return { answer, result };
  }

  it('does not come back when it was revoked: a session under an idempotency key', async () => {
    const body = { ...PLACE, data: { userId: 'lost and revoked' } };
    const once = (service: ServiceProcess) =>
      ask(keyed(service, 'lost-and-revoked'), '/sessions', body);
    const { answer, result } = await meanwhile(
      'create',
      () => once(patient),
      async () => {
        const pair = pairOf(await once(beside));
        expect((await revokeByRefreshToken(beside, pair)).status).toBe(204);
        return pair;
      },
    );
    expect([201, 409, 503]).toContain(answer.status);
    await expectEnded(beside, result);
    await expectEnded(patient, result);
  });

  it('does not come back when it was revoked: an API key', async () => {
    const { answer, result } = await meanwhile(
      'replaceDocument',
      () => ask(patient, '/api-keys', { name: 'lost', permissions: ['verify'] }),
      async () => {
        const { body } = await ask(beside, '/api-keys');
        const [key] = body['apiKeys'] as { id: string }[];
        expect((await ask(beside, `/api-keys/${key?.id}`, undefined, 'DELETE')).status).toBe(204);
        return `/api-keys/${key?.id}`;
      },
    );
    expect([201, 503]).toContain(answer.status);
    expect((await ask(beside, result)).status).toBe(404);
  });
});

it.each<[string, () => ServiceProcess]>([
  ['on one Redis', () => strict],
  ['and with writes that wait for a replica', () => strictAndDurable],
])(
  'a lost reply makes no honest refresh a theft, even without a retry window %s',
  async (_, service) => {
    const presented = await newSession(service());
    const { first } = await answerInSpiteOf('replace', 1, () => refresh(service(), presented));
    expect(first).toMatchObject({ status: 200, outcome: 'rotated' });
    const successor = pairOf(first);
    await expectValid(service(), successor);
    expect((await refresh(service(), successor)).outcome).toBe('rotated');
  },
);
