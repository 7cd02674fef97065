// Owns `npm run bench`: start, refresh and verify beside a floor in the same run, interleaved, as medians. `--rounds N --requests N --sessions N --listed N`.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { startRedis } from '../test/support/redis-server.ts';
import { call, load, type Sample, type Script, startBody } from './load.ts';
import { bytesPerSession } from './memory.ts';
import { pageMs } from './pages.ts';
import { type Server, startServer } from './server.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    requests: { type: 'string', default: '3000' },
    sessions: { type: 'string', default: '60000' },
    listed: { type: 'string', default: '200000' },
  },
});
const rounds = Number(values.rounds);
const requests = Number(values.requests);

let userNumber = 0;
const starting: Script = { path: '/sessions', next: () => startBody(`user_${userNumber++}`) };

/** Every request rotates: each connection presents the refresh token of its last answer. */
async function refreshing(server: Server): Promise<Script> {
  const first = await Promise.all(
    Array.from({ length: 64 }, (_, i) => call(server, '/sessions', startBody(`refresh_${i}`))),
  );
  const held = first.map(({ refreshToken = '' }) => refreshToken);
  return {
    path: '/sessions/refresh',
    next(connection, answer) {
      if (answer !== undefined)
        held[connection] = (JSON.parse(answer) as { refreshToken: string }).refreshToken;
      return JSON.stringify({ refreshToken: held[connection] });
    },
  };
}

async function verifying(server: Server): Promise<Script> {
  const { token } = await call(server, '/sessions', startBody('verify'));
  return { path: '/sessions/verify', next: () => JSON.stringify({ token }) };
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

const redisServer = await startRedis({ appendonly: true, appendfsync: 'everysec' });
const redis = new Redis(redisServer.url, { disableClientInfo: true });
const [floor, control, service] = await Promise.all([
  startServer('floor', redisServer.url),
  startServer('floor', redisServer.url),
  startServer('service', redisServer.url),
]);

interface Subject {
  readonly name: string;
  readonly against: string;
  readonly server: Server;
  readonly script: () => Promise<Script>;
  readonly samples: Sample[];
}

const subject = (
  name: string,
  against: string,
  server: Server,
  script: (of: Server) => Promise<Script> | Script,
): Subject => ({
  name,
  against,
  server,
  script: async () => script(server),
  samples: [],
});

const subjects = [
  subject('floor start', 'floor start', floor, () => starting),
  subject('floor start (control)', 'floor start', control, () => starting),
  subject('start', 'floor start', service, () => starting),
  subject('refresh', 'floor start', service, refreshing),
  subject('floor verify', 'floor verify', floor, verifying),
  subject('verify', 'floor verify', service, verifying),
];

for (let round = -1; round < rounds; round++) {
  for (const { server, script, samples } of subjects) {
    const sample = await load(server, redis, await script(), requests);
    // The first round only warms up.
    if (round >= 0) samples.push(sample);
  }
  process.stderr.write('.');
}

const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1];
const lines = subjects.map(({ name, against, samples }) => {
  const base = subjects.find((each) => each.name === against)?.samples ?? [];
  const ratios = samples.map(
    ({ serverMicroseconds }, i) => serverMicroseconds / (base[i]?.serverMicroseconds ?? Number.NaN),
  );
  const of = (pick: (sample: Sample) => number, digits = 0) =>
    median(samples.map(pick)).toFixed(digits);
  return {
    what: name,
    'server CPU-µs': of((s) => s.serverMicroseconds),
    'ratio to floor': median(ratios).toFixed(2),
    'ratio, least to most': `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`,
    'Redis CPU-µs': of((s) => s.redisMicroseconds),
    'requests/s': of((s) => s.requestsPerSecond),
    'p50 ms': of((s) => s.p50Ms),
    'p99 ms': of((s) => s.p99Ms),
  };
});
for (const server of [floor, control, service]) server.stop();

console.log(
  `\n${rounds} rounds of ${requests} requests, medians; Node ${process.version}, Redis ${version}, ${cpus().length} × ${cpus()[0]?.model}`,
);
console.table(lines);
for (const perUser of [1, 3]) {
  const bytes = await bytesPerSession(redis, redisServer.url, Number(values.sessions), perUser);
  console.log(
    `Redis bytes per session, ${perUser} for each user, ${values.sessions} sessions of one tag: ${Math.round(bytes)}`,
  );
}
for (const count of [1000, Number(values.listed)]) {
  const { sessions, users } = await pageMs(redis, redisServer.url, count);
  console.log(
    `A page of 100 out of ${count} sessions: ${sessions.toFixed(1)} ms; of 100 users: ${users.toFixed(1)} ms`,
  );
}
redis.disconnect();
await redisServer.stop();
