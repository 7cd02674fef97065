// Owns how long a user at the limit of sessions blocks Redis: the longest single command behind each call that concerns all of its sessions.

import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { scripts } from '../src/stores/redis/scripts.ts';
import { call, load, startBody } from './load.ts';
import { median } from './median.ts';
import { type Server, startServer } from './server.ts';

/** What no call may exceed; a start that looks for sessions to evict sees all of the user's in one step, and may take longer. */
const mostMs = (what: string): number => (what.startsWith('start that evicts') ? 20 : 10);
/** What is shorter than this is not noticed: noting everything would slow down what is measured. */
const NOTICED_MICROSECONDS = 50;
const PLACE = 'my-app/prd';
/** Written first, so that it ends first: whoever looks for the user's last session of this tag passes by all others. */
const RARE = 'rare';

interface Blocking {
  readonly ms: number;
  readonly script: string;
}

const nameOf = new Map(
  Object.entries(scripts).map(([name, { lua }]) => [
    createHash('sha1').update(lua).digest('hex'),
    name,
  ]),
);

/** The longest command that Redis ran for `work`, by its own SLOWLOG. */
async function longestDuring(redis: Redis, work: () => Promise<unknown>): Promise<Blocking> {
  await redis.slowlog('RESET');
  await work();
  const entries = (await redis.slowlog('GET', -1)) as [number, number, number, string[]][];
  const longest = entries
    // Not what looks: with thousands of entries to tell it takes long itself.
    .filter(([, , , [command]]) => command?.toLowerCase() !== 'slowlog')
    .reduce((a, b) => (b[2] > a[2] ? b : a), [0, 0, 0, []]);
  const [command = '', sha = ''] = longest[3];
  return { ms: longest[2] / 1000, script: nameOf.get(sha) ?? command };
}

/** Starts one session of the rare tag, then so many of the tags in turn. Answers the ids of the first two. */
async function fill(
  server: Server,
  redis: Redis,
  user: string,
  sessions: number,
  tags: readonly string[],
): Promise<{ readonly rare: string; readonly common: string }> {
  const rare = await call(server, '/sessions', startBody(user, RARE));
  const common = await call(server, '/sessions', startBody(user, tags[0]));
  let turn = 1;
  const next = () => startBody(user, tags[turn++ % tags.length]);
  await load(server, redis, { path: '/sessions', next }, sessions - 1);
  return { rare: rare['sessionId'] ?? '', common: common['sessionId'] ?? '' };
}

/** All calls, each on what the one before has left: in this order the user stays at its limit until the last two. */
async function callsOn(server: Server, redis: Redis, sessions: number, tags: readonly string[]) {
  const measured: [string, Blocking][] = [];
  const user = `user_${process.hrtime.bigint()}`;
  const { rare, common } = await fill(server, redis, user, sessions, tags);
  const [tag = ''] = tags;
  const type = `/session-types/my-app/${tag}`;
  const patch = JSON.stringify({ data: { details: { plan: 'pro' } } });
  const measure = async (name: string, method: string, path: string, body?: string) => {
    const blocking = await longestDuring(redis, () => call(server, path, body, method));
    measured.push([name, blocking]);
  };
  await measure('list a page', 'GET', `/sessions/${PLACE}/${tag}?userId=${user}&limit=100`);
  await measure('read the user', 'GET', `/users/${PLACE}/${user}`);
  await measure('read it under a tag', 'GET', `/users/${PLACE}/${user}?tag=${tag}`);
  await measure('PATCH', 'PATCH', `/sessions/${PLACE}/${tag}/${common}`, patch);
  await measure('PATCH, rare tag', 'PATCH', `/sessions/${PLACE}/${RARE}/${rare}`, patch);
  await measure('start', 'POST', '/sessions', startBody(user, tag));
  const underTag = sessions / tags.length;
  const limitTo = (maxSessionsPerUser: number) =>
    call(server, type, JSON.stringify({ maxSessionsPerUser, onLimit: 'evict_oldest' }), 'PUT');
  await limitTo(underTag + 1);
  await measure('start that evicts one', 'POST', '/sessions', startBody(user, tag));
  await limitTo(underTag - 48);
  await measure('start that evicts fifty', 'POST', '/sessions', startBody(user, tag));
  await call(server, type, undefined, 'DELETE');
  const { sessionId } = await call(server, '/sessions', startBody(user, tag));
  await measure('revoke one', 'DELETE', `/sessions/${PLACE}/${tag}/${sessionId}`);
  const ofUser = `/users/${PLACE}/${user}/sessions`;
  await measure('revoke all of the rare tag', 'DELETE', `${ofUser}?tag=${RARE}`);
  await measure('revoke all of a tag', 'DELETE', `${ofUser}?tag=${tag}`);
  await call(server, ofUser, undefined, 'DELETE');

  await fill(server, redis, user, sessions, tags);
  await measure('revoke all', 'DELETE', ofUser);
  await fill(server, redis, user, sessions, tags);
  await measure('erase', 'DELETE', `/users/${PLACE}/${user}`);
  return measured;
}

/** Prints a table for a user with so many sessions under one tag and under two; false if a call blocks Redis for too long. */
export async function reportLongestScripts(
  redis: Redis,
  redisUrl: string,
  sessions: number,
  repeats: number,
): Promise<boolean> {
  await redis.config('SET', 'slowlog-log-slower-than', NOTICED_MICROSECONDS);
  await redis.config('SET', 'slowlog-max-len', 2000);
  const server = await startServer('service', redisUrl);
  const found = new Map<string, Blocking[]>();
  for (const tags of [['first'], ['first', 'second']]) {
    for (let i = 0; i < repeats; i++) {
      for (const [name, blocking] of await callsOn(server, redis, sessions, tags)) {
        const what = `${name}, ${tags.length} tag${tags.length > 1 ? 's' : ''}`;
        found.set(what, [...(found.get(what) ?? []), blocking]);
      }
      process.stderr.write('.');
    }
  }
  process.stderr.write('\n');
  server.stop();
  await redis.flushall();
  const rows = [...found].map(([what, all]) => ({
    what,
    ms: median(all.map(({ ms }) => ms)),
    most: Math.max(...all.map(({ ms }) => ms)),
    script: all[0]?.script,
  }));
  console.log(
    `The longest command in Redis for a user of ${sessions} sessions, of ${repeats} tries:`,
  );
  console.table(
    rows.map(({ what, ms, most, script }) => ({
      what,
      'ms, median': ms.toFixed(2),
      'ms, most': most.toFixed(2),
      script,
    })),
  );
  const held = rows.every(({ what, ms }) => ms <= mostMs(what));
  console.log(
    `no call blocks Redis for more than 10 ms, a start that evicts for more than 20: ${held ? 'held' : 'NOT HELD'}`,
  );
  return held;
}
