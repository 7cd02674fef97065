// Owns `npm run bench`: its options, and which measurements are made in which order. docs/performance.md says how to read them.
//
// `--rounds N --requests N --sessions N --listed N --user-sessions N`; `--only floor,bytes,pages,user` for some of them;
// `--against DIR --pairs N --operations start,refresh,verify` compares with the build of another checkout instead.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { startRedis } from '../test/support/redis-server.ts';
import { compare } from './against.ts';
import { measureBesideFloor } from './beside-floor.ts';
import { reportLongestScripts } from './longest-script.ts';
import { bytesPerSession } from './memory.ts';
import { pageMs } from './pages.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    requests: { type: 'string', default: '3000' },
    sessions: { type: 'string', default: '60000' },
    listed: { type: 'string', default: '1000000' },
    'user-sessions': { type: 'string', default: '10000' },
    repeats: { type: 'string', default: '3' },
    only: { type: 'string', default: 'floor,bytes,pages,user' },
    against: { type: 'string' },
    pairs: { type: 'string', default: '20' },
    operations: { type: 'string', default: 'start,refresh,verify' },
  },
});
const [rounds, requests, sessions] = [values.rounds, values.requests, values.sessions].map(
  Number,
) as [number, number, number];
const FEW_LISTED = 1000;

const redisServer = await startRedis({ appendonly: true, appendfsync: 'everysec' });
const { url } = redisServer;
const redis = new Redis(url, { disableClientInfo: true });

async function besideFloor(): Promise<void> {
  const rows = await measureBesideFloor(redis, url, rounds, requests);
  console.log(`\n${rounds} rounds of ${requests} requests, medians:`);
  console.table(rows);
}

async function bytes(): Promise<void> {
  for (const perUser of [1, 3]) {
    const each = await bytesPerSession(redis, url, sessions, perUser);
    console.log(
      `Redis bytes per session, ${perUser} for each user, ${sessions} sessions of one tag: ${Math.round(each)}`,
    );
  }
}

async function pages(): Promise<void> {
  const many = Number(values.listed);
  const [few, all] = [await pageMs(redis, url, FEW_LISTED), await pageMs(redis, url, many)];
  for (const what of ['sessions', 'users'] as const) {
    console.log(
      `A page of 100 ${what} out of ${FEW_LISTED} sessions: ${few[what].toFixed(2)} ms, out of ${many}: ${all[what].toFixed(2)} ms; ratio ${(all[what] / few[what]).toFixed(2)}`,
    );
  }
}

const userAtTheLimit = (): Promise<boolean> =>
  reportLongestScripts(redis, url, Number(values['user-sessions']), Number(values.repeats));

const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
console.log(`Node ${process.version}, Redis ${version}, ${cpus().length} × ${cpus()[0]?.model}`);
const measurements = { floor: besideFloor, bytes, pages, user: userAtTheLimit };
let held = true;
if (values.against !== undefined) {
  const pairs = Number(values.pairs);
  const operations = values.operations.split(',');
  const { against: dir } = values;
  held = await compare(redis, url, { dir, pairs, requests, sessions, operations });
} else {
  const wanted = values.only.split(',');
  for (const [name, measure] of Object.entries(measurements)) {
    if (wanted.includes(name)) held = (await measure()) !== false && held;
  }
}
process.exitCode = held ? 0 : 1;
redis.disconnect();
await redisServer.stop();
