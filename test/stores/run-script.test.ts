// Owns the promise that writes which wait for replicas are no queue without bound while none answers.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { Outage } from '../../src/sessions/errors.ts';
import type { ScriptRunner } from '../../src/stores/redis/run-script.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openScriptRunner } from '../support/redis-store-under-test.ts';

/** As many as may wait. */
const MOST = 1000;

let server: RedisServer;
let runner: ScriptRunner;
beforeAll(async () => {
  server = await startRedis();
  runner = await openScriptRunner({ mode: 'single', url: server.url }, 1);
});
afterAll(async () => {
  runner.close();
  await server.stop();
});

const write = () => runner.runDurably('fence', { keys: ['fence:{x}'] });
const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'acknowledged',
    (error: unknown) => error,
  );

it('of 1,100 writes without a replica 100 are refused at once, and so are more until Redis has answered', async () => {
  const all = Array.from({ length: MOST + 100 }, () => reasonOf(write()));
  const reasons = (await Promise.all(all)).map(String);
  expect(reasons.filter((each) => each.includes('too many writes wait'))).toHaveLength(100);
  // Those before have given up; what they sent has not been answered.
  const more = await Promise.all(Array.from({ length: 100 }, () => reasonOf(write())));
  for (const each of more) expect(each).toBeInstanceOf(Outage);
  expect(more.map(String).filter((each) => each.includes('too many')).length).toBeGreaterThan(50);
});
