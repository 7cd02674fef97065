// Owns the promises about a command that Redis carried out and whose reply was lost with its connection, at every step of every write.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ScriptName, scripts } from '../../src/stores/redis/scripts.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  ANSWERED_MS,
  type Answer,
  claimsOf,
  expectEnded,
  expectUnavailable,
  expectValid,
  listUser,
  newSession,
  type Pair,
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
      return 'swallow-reply-then-reset';
    },
  });
  const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
  [patient, strict, strictAndDurable] = await Promise.all([
    startService(env),
    startService({ ...env, REFRESH_RETRY_SECONDS: '0' }),
    startService({ ...env, REFRESH_RETRY_SECONDS: '0', REDIS_WAIT_REPLICAS: '1' }),
  ]);
});
afterAll(async () => {
  await Promise.all([patient?.stop(), strict?.stop(), strictAndDurable?.stop()]);
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
  it('of a start leaves a caller that asks again with one good session', async () => {
    const user = `start ${what}`;
    const { first, good } = await answerInSpiteOf('create', losses, () => start(patient, user));
    await expectValid(patient, pairOf(good));
    expect((await refresh(patient, pairOf(good))).outcome).toBe('rotated');
    // A 503 may have left a session behind that nobody holds the tokens of.
    const { sessions } = (await listUser(patient, user)).body as { sessions: unknown[] };
    expect(sessions).toHaveLength(first.status === 503 ? 2 : 1);
  });

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

  it.each(['members', 'remove'] as const)(
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
