// Owns the promise that a recount takes nobody for wrong whose time comes while it is made.

import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  connectRedis,
  type RedisClient,
  type RedisTarget,
} from '../../src/stores/redis/connect.ts';
import { reportDrift } from '../../src/stores/redis/drift.ts';
import type { ScriptRunner } from '../../src/stores/redis/run-script.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { openScriptRunner, openStoreUnderTest } from '../support/redis-store-under-test.ts';
import { sampleSession } from '../support/sessions.ts';
import type { StoreUnderTest } from './store-conformance.ts';

let server: RedisServer;
let opened: StoreUnderTest;
let client: RedisClient;
let runner: ScriptRunner;
beforeAll(async () => {
  server = await startRedis({ movableClock: true });
  const target: RedisTarget = { mode: 'single', url: server.url };
  opened = await openStoreUnderTest(target, [server], server.clock, () => server.stop());
  client = connectRedis(target, () => undefined);
  runner = await openScriptRunner(target);
});
afterAll(async () => {
  runner.close();
  client.disconnect();
  await opened.close();
});

/** Recounts while a session lives whose end comes right before the script of this number; whether so many were run, and what is off. */
async function recountAround(end: number) {
  const createdAtMs = await opened.store.now();
  const session = sampleSession({ createdAtMs, expiresAtMs: createdAtMs + 1_000 });
  await opened.store.create(session, { perUser: 1 });
  let scripts = 0;
  const late: ScriptRunner = {
    ...runner,
    async run(...call) {
      if (scripts++ === end) await opened.advance(1_000);
      return runner.run(...call);
    },
  };
  const { sessions, parts: _parts, ...off } = await reportDrift(client, late);
  await opened.advance(1_000);
  return { reached: scripts > end, sessions, off };
}

it('whenever a session ends while a recount is made, it is not drift', async () => {
  const seen: number[] = [];
  for (let end = 0; ; end++) {
    const { reached, sessions, off } = await recountAround(end);
    expect(off, `script ${end}`).toEqual({
      unlisted: 0,
      phantoms: 0,
      usersOff: 0,
      countersOff: 0,
    });
    seen.push(sessions);
    if (!reached) break;
  }
  // It was met alive, and no more.
  expect(new Set(seen)).toEqual(new Set([0, 1]));
});
