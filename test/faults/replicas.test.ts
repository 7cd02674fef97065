// Owns the promises about replicas: a write counts only when they have it, and a demoted primary is never believed.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/sessions/ambient.ts';
import { REVISION_BYTES } from '../../src/sessions/session.ts';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openRedisStore } from '../support/redis-store-under-test.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import { sampleSession } from '../support/sessions.ts';
import {
  type Answer,
  claimsOf,
  expectEnded,
  expectUnavailable,
  expectValid,
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
  verify,
} from './service-client.ts';

let primary: RedisServer;
let replica: RedisServer;
let service: ServiceProcess;

const caughtUp = (server: RedisServer): Promise<boolean> =>
  withRedis(server.port, async (client) =>
    (await client.info('replication')).includes('master_link_status:up'),
  );

beforeEach(async () => {
  const quick = ['--repl-diskless-sync-delay', '0'];
  primary = await startRedis({ extraArgs: quick });
  replica = await startRedis({
    extraArgs: [...quick, '--replicaof', '127.0.0.1', String(primary.port)],
  });
  await until('the replica has caught up', 10_000, () => caughtUp(replica));
});
afterEach(async () => {
  await service?.stop();
  await replica?.stop();
  await primary?.stop();
});

describe.each([
  { how: 'killed', cut: () => replica.kill(), mend: () => replica.start() },
  { how: 'frozen', cut: async () => replica.freeze(), mend: async () => replica.thaw() },
])('with REDIS_WAIT_REPLICAS=1 and the only replica $how', ({ cut, mend }) => {
  it('no write is acknowledged, repeated ones neither, until it is back', async () => {
    service = await startService({ REDIS_URL: primary.url, REDIS_WAIT_REPLICAS: '1' });
    const [good, replayed, revoked, gone] = (await Promise.all(
      ['ann', 'bob', 'bob', 'joe'].map((user) => newSession(service, user)),
    )) as [Pair, Pair, Pair, Pair];
    const successor = pairOf(await refresh(service, replayed));
    expect((await revokeByToken(service, gone)).status).toBe(204);
    await expectValid(service, good);

    await cut();
    const writes = (): Promise<readonly Answer[]> =>
      Promise.all([
        start(service, 'eve'),
        refresh(service, good),
        refresh(service, replayed),
        revokeByRefreshToken(service, revoked),
        revokeByToken(service, revoked),
        revokeByToken(service, gone),
        removeUser(service, 'joe'),
        removeUser(service, 'nobody'),
      ]);
    for (const answer of [...(await writes()), ...(await writes())]) expectUnavailable(answer);
    // Reading needs no replica.
    await expectValid(service, good);

    await mend();
    await until('the replica has caught up', 10_000, () => caughtUp(replica));
    await untilGood(() => start(service, 'eve'), RECOVERED_MS);
    // Nothing had moved on without a replica.
    expect((await refresh(service, good)).outcome).toBe('rotated');
    // Carried out before, acknowledged only now.
    expect(claimsOf(pairOf(await refresh(service, replayed)))).toEqual(claimsOf(successor));
    expect((await revokeByToken(service, revoked)).status).toBe(204);
    await expectEnded(service, revoked);
  });
});

describe.each([
  { how: 'killed', cut: () => replica.kill(), mend: () => replica.start() },
  { how: 'frozen', cut: async () => replica.freeze(), mend: async () => replica.thaw() },
])(
  'with REDIS_WAIT_REPLICAS=1 and the only replica $how for longer than the retry window',
  ({ cut, mend }) => {
    it('whoever tried to refresh meanwhile is not logged out', async () => {
      service = await startService({
        REDIS_URL: primary.url,
        REDIS_WAIT_REPLICAS: '1',
        REFRESH_RETRY_SECONDS: '1',
      });
      const pairs = await Promise.all(
        ['ann', 'bob', 'joe'].map((user) => newSession(service, user)),
      );
      await cut();
      for (const pair of pairs) expectUnavailable(await refresh(service, pair));
      await sleep(1500);
      for (const pair of pairs) expectUnavailable(await refresh(service, pair));
      await mend();
      await until('the replica has caught up', 10_000, () => caughtUp(replica));
      await untilGood(() => start(service, 'eve'), RECOVERED_MS);
      for (const pair of pairs) expect((await refresh(service, pair)).outcome).toBe('rotated');
    });
  },
);

it('what one primary said of a session is not confirmed by another that sees it otherwise', async () => {
  const store = await openRedisStore({ mode: 'single', url: primary.url }, 1);
  try {
    const createdAtMs = await store.now();
    const [lives, ended] = [sampleSession({ createdAtMs }), sampleSession({ createdAtMs })];
    for (const each of [lives, ended]) {
      expect((await store.create(each, { perUser: 10 })).outcome).toBe('created');
    }
    await store.remove(ended);
    expect(await store.confirm(lives, lives)).toBe(true);
    expect(await store.confirm(ended, undefined)).toBe(true);
    // As after a failover between the reading and the confirmation: a start that was lost by it, a revocation that was undone.
    expect(await store.confirm(ended, ended)).toBe(false);
    expect(await store.confirm(lives, undefined)).toBe(false);
    const rotated = { ...lives, generation: 1, revision: systemRandom(REVISION_BYTES) };
    expect(await store.confirm(lives, rotated)).toBe(false);
    await store.forbid(ended);
    expect(await store.confirm(ended, undefined)).toBe(true);
    expect(await store.confirm(ended, ended)).toBe(false);
  } finally {
    await store.close();
  }
});

it('a primary demoted under a running service is never believed again', async () => {
  service = await startService({ REDIS_URL: primary.url });
  const session = await newSession(service);
  await until('the session is on the replica', 2000, () =>
    withRedis(primary.port, async (client) => (await client.wait(1, 1000)) === 1),
  );
  await withRedis(replica.port, (client) => client.replicaof('NO', 'ONE'));
  const successor = await startService({ REDIS_URL: replica.url });
  try {
    await withRedis(primary.port, async (client) => {
      // Demoted to a server that is not there: it keeps all it has, and what it has grows old.
      await client.replicaof('127.0.0.1', '1');
    });
    expect((await revokeByToken(successor, session)).status).toBe(204);
    const answers: Answer[] = [];
    for (let i = 0; i < 20; i++) {
      answers.push(
        ...(await Promise.all([
          verify(service, session),
          refresh(service, session),
          revokeByToken(service, session),
        ])),
      );
      await sleep(20);
    }
    for (const answer of answers) expectUnavailable(answer);
    // Demoted to the server that has taken over.
    await withRedis(primary.port, (client) => client.replicaof('127.0.0.1', String(replica.port)));
    expectUnavailable(await verify(service, session));
  } finally {
    await successor.stop();
  }
});
