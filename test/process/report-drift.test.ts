// Owns the proof of `--report-drift`: the recount finds what is off, and nothing else.

import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createCrowd } from '../support/crowd.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { spawnService, TEST_ROOT_KEY, TEST_SECRET } from '../support/service-process.ts';

let server: RedisServer;
let direct: Redis;
beforeAll(async () => {
  server = await startRedis();
  direct = new Redis(server.url, { disableClientInfo: true });
});
afterAll(async () => {
  direct.disconnect();
  await server.stop();
});

it('the recount says that nothing is off, and what is when something was tampered with', async () => {
  const env = { REDIS_URL: server.url, SECRET: TEST_SECRET, ROOT_API_KEY: TEST_ROOT_KEY };
  const recount = async () => {
    const run = await spawnService(env, ['--report-drift']);
    const { code } = await run.exited;
    return { code, report: JSON.parse(/^\{.*\}$/m.exec(run.output())?.[0] ?? '{}') };
  };
  await createCrowd(server.url, 300, 3);
  expect(await recount()).toEqual({
    code: 0,
    report: {
      sessions: 300,
      parts: expect.any(Number),
      unlisted: 0,
      phantoms: 0,
      usersOff: 0,
      countersOff: 0,
      drift: 0,
    },
  });
  const [session, index] = [(await direct.keys('session:*'))[0], (await direct.keys('tag:*'))[0]];
  await direct.del(session ?? '');
  await direct.zadd(index ?? '', '99999999999999', 'x'.repeat(35));
  await direct.hdel((await direct.keys('user-records:*'))[0] ?? '', '#');
  const users = (await direct.keys('users:*')).at(-1) ?? '';
  const [user = ''] = await direct.zrange(users, '0', '0');
  await direct.zadd(users, '4102444800000', user);
  const { code, report } = await recount();
  expect(code).toBe(1);
  expect(report.usersOff).toBeGreaterThanOrEqual(1);
  expect(report.phantoms).toBeGreaterThanOrEqual(1);
  expect(report.countersOff).toBeGreaterThanOrEqual(1);
  expect(report.drift).toBe(
    report.phantoms + report.countersOff + report.usersOff + report.unlisted,
  );
});
