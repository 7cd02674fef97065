// Owns the promise about a failover by Sentinel: sessions go on, without anybody restarting the service.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisSentinelSetup, startRedisSentinel } from '../support/redis-sentinel.ts';
import {
  type ServiceProcess,
  spawnService,
  startService,
  TEST_SECRET,
} from '../support/service-process.ts';
import {
  ask,
  expectEnded,
  expectUnavailable,
  expectValid,
  newSession,
  type Pair,
  pairOf,
  RECOVERED_MS,
  refresh,
  revokeByToken,
  start,
  untilGood,
  verify,
} from './service-client.ts';

/** Silence that counts as death (1 s), the vote, and the promotion. */
const FAILOVER_MS = 10_000;

let setup: RedisSentinelSetup;
let service: ServiceProcess;

beforeAll(async () => {
  setup = await startRedisSentinel();
  service = await startService({
    REDIS_SENTINELS: setup.sentinelsEnv,
    REDIS_SENTINEL_NAME: setup.name,
  });
});
afterAll(async () => {
  await service?.stop();
  await setup?.stop();
});

const isPrimary = (port: number): Promise<boolean> =>
  withRedis(port, async (client) => (await client.info('replication')).includes('role:master'));

it('a name that no Sentinel knows is said, and with which Sentinel', async () => {
  const running = await spawnService({
    REDIS_SENTINELS: setup.sentinelsEnv,
    REDIS_SENTINEL_NAME: 'another',
    SECRET: TEST_SECRET,
    PORT: '0',
  });
  await until('it is said', 15_000, async () => running.output().includes('No such master'));
  expect(running.output()).toContain(setup.sentinelsEnv.split(',')[0]);
  running.child.kill('SIGKILL');
  await running.exited;
});

it('when the primary dies, its sessions go on at the promoted replica within seconds', async () => {
  const kept = await newSession(service);
  const revoked = await newSession(service);
  expect((await revokeByToken(service, revoked)).status).toBe(204);
  const replayed = await newSession(service);
  const successor = pairOf(await refresh(service, replayed));
  await withRedis(setup.primary.port, (client) => client.wait(1, 1000));

  await setup.primary.kill();
  expectUnavailable(await verify(service, kept));
  await until('the replica is promoted', FAILOVER_MS, async () => {
    const answer = await verify(service, kept);
    // As long as nobody can know better, nobody is refused.
    if (answer.status === 503) expectUnavailable(answer);
    else expect(answer.body['valid']).toBe(true);
    return isPrimary(setup.replica.port);
  });
  // Starts have a connection of their own: that one is there says nothing about the other.
  await untilGood(() => start(service), RECOVERED_MS);
  await untilGood(() => verify(service, kept), RECOVERED_MS);

  await expectValid(service, kept);
  expect((await refresh(service, kept)).outcome).toBe('rotated');
  expect((await refresh(service, replayed)).outcome).toBe('replayed');
  await expectValid(service, successor);
  await expectEnded(service, revoked);
  expect((await ask(service, '/readyz')).status).toBe(200);
  await Promise.all(Array.from({ length: 20 }, (): Promise<Pair> => newSession(service)));
});
