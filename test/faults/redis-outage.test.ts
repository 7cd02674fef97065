// Owns the promises about a Redis that dies and comes back, or hangs.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { type RedisOptions, type RedisServer, startRedis } from '../support/redis-server.ts';
import { type ServiceProcess, startService } from '../support/service-process.ts';
import {
  ANSWERED_MS,
  type Answer,
  ask,
  claimsOf,
  expectUnavailable,
  expectValid,
  listTag,
  listUser,
  newSession,
  type Pair,
  pairOf,
  RECOVERED_MS,
  read,
  refresh,
  remove,
  removeUser,
  revokeByRefreshToken,
  revokeByToken,
  start,
  untilGood,
  verify,
} from './service-client.ts';

let redis: RedisServer;
let service: ServiceProcess;

async function startBoth(options: RedisOptions): Promise<void> {
  redis = await startRedis(options);
  service = await startService({ REDIS_URL: redis.url });
}
afterEach(async () => {
  await service?.stop();
  await redis?.stop();
});

/** Every call that needs the store; those that would end a session are made about `doomed`. */
function askEverything(good: Pair, doomed: Pair): Promise<readonly Answer[]> {
  return Promise.all([
    start(service, 'user_2'),
    refresh(service, good),
    verify(service, good),
    read(service, good),
    listUser(service, 'user_1'),
    listTag(service),
    revokeByToken(service, doomed),
    revokeByRefreshToken(service, doomed),
    remove(service, doomed),
    removeUser(service, 'nobody'),
    ask(service, '/readyz'),
  ]);
}

async function expectHonestOutage(good: Pair, doomed: Pair): Promise<void> {
  for (const answer of await askEverything(good, doomed)) expectUnavailable(answer);
  expect((await ask(service, '/livez')).status).toBe(200);
  expect(await ask(service, '/.well-known/jwks.json')).toMatchObject({
    status: 200,
    body: { keys: [{ kty: 'EC' }] },
  });
}

it.each(['always', 'everysec'] as const)(
  'a Redis killed and restarted loses no acknowledged session (appendfsync %s), and meanwhile every answer is an honest 503',
  async (appendfsync) => {
    await startBoth({ appendonly: true, appendfsync });
    const [good, doomed] = [await newSession(service), await newSession(service)];
    const acknowledged: Pair[] = [];
    const stream = Promise.all(
      Array.from({ length: 8 }, async (_, worker) => {
        for (let answer = await start(service); answer.status === 201; ) {
          acknowledged.push(pairOf(answer));
          answer = await start(service, `user_${worker}`);
        }
      }),
    );
    await sleep(300);
    await redis.kill();
    await stream;
    // At once, and when connecting has failed a few times.
    await expectHonestOutage(good, doomed);
    await sleep(700);
    await expectHonestOutage(good, doomed);

    await redis.start();
    await untilGood(() => verify(service, good), RECOVERED_MS);
    expect(acknowledged.length).toBeGreaterThan(10);
    for (const pair of [good, doomed, ...acknowledged]) await expectValid(service, pair);
    expect((await refresh(service, good)).outcome).toBe('rotated');
    expect((await ask(service, '/readyz')).status).toBe(200);
  },
);

/** The number behind a name and its labels; 0 if there is none. */
async function numberOf(series: string): Promise<number> {
  const text = await (await service.call('/metrics')).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

it('the numbers tell an operator which operations the store did and which it did not', async () => {
  await startBoth({});
  const outages = (operation: string) => numberOf(`store_outages_total{operation="${operation}"}`);
  const operations = (operation: string) =>
    numberOf(`store_operation_duration_seconds_count{operation="${operation}"}`);
  const [readBefore, createdBefore] = [await operations('read'), await operations('create')];
  const good = await newSession(service);
  await expectValid(service, good);
  expect(await operations('create')).toBe(createdBefore + 1);
  expect(await operations('read')).toBeGreaterThan(readBefore);
  expect([await outages('read'), await outages('create')]).toEqual([0, 0]);
  const seconds = await numberOf('store_operation_duration_seconds_sum{operation="create"}');
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(ANSWERED_MS / 1000);

  await redis.kill();
  for (let i = 0; i < 3; i++) expectUnavailable(await verify(service, good));
  for (let i = 0; i < 2; i++) expectUnavailable(await start(service));
  // Housekeeping asks for the time with the same operation.
  expect(await outages('read')).toBeGreaterThanOrEqual(3);
  expect(await outages('create')).toBe(2);
  expect(await operations('create')).toBe(createdBefore + 3);
});

it('a Redis that loads its data for seconds is an honest 503 until it has them', async () => {
  const slowly = ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'];
  await startBoth({ appendonly: true, extraArgs: slowly });
  const [good, doomed] = [await newSession(service), await newSession(service)];
  await Promise.all(Array.from({ length: 200 }, () => start(service)));
  await redis.kill();
  let loading = true;
  const started = redis.start().then(() => {
    loading = false;
  });
  let unavailable = 0;
  for (; loading; unavailable++) {
    const answer = await verify(service, good);
    // The last one may come just after the end.
    if (answer.status === 200) expect(answer.body['valid']).toBe(true);
    else expectUnavailable(answer);
    await sleep(50);
  }
  expect(unavailable).toBeGreaterThan(10);
  await started;
  await untilGood(() => verify(service, good), RECOVERED_MS);
  await expectValid(service, doomed);
});

it('while Redis hangs every answer is an honest 503 in time, and afterwards nobody is logged out', async () => {
  await startBoth({});
  const [good, doomed] = [await newSession(service), await newSession(service)];
  redis.freeze();
  await expectHonestOutage(good, doomed);
  await expectHonestOutage(good, doomed);
  redis.thaw();
  await untilGood(() => verify(service, good), RECOVERED_MS);
  // The refresh that was answered 503 may have been carried out: its retry gives the one successor.
  const next = pairOf(await refresh(service, good));
  expect(pairOf(await refresh(service, next))).not.toMatchObject(next);
});

/** Under load the client itself may be late to see an answer. */
const BUSY_CLIENT_MS = 1000;

const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

it('a hanging Redis under load does not fill the memory of the service', async () => {
  await startBoth({});
  const good = await newSession(service);
  const load = async (seconds: number): Promise<readonly Answer[]> => {
    const answers: Promise<Answer>[] = [];
    for (let tick = 0; tick < seconds * 20; tick++) {
      for (let i = 0; i < 5; i++)
        answers.push(start(service), refresh(service, good), verify(service, good));
      await sleep(50);
    }
    return Promise.all(answers);
  };
  await load(1);
  const before = residentMegabytes(service.pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentMegabytes(service.pid));
  }, 50);
  redis.freeze();
  const answers = await load(4);
  clearInterval(watch);
  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(answer.ms).toBeLessThan(ANSWERED_MS + BUSY_CLIENT_MS);
  }
  expect(most - before).toBeLessThan(64);
  redis.thaw();
  const answer = await untilGood(() => refresh(service, good), RECOVERED_MS);
  expect(claimsOf(pairOf(answer)).jti).not.toBe(claimsOf(good).jti);
});
