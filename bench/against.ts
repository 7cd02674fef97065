// Owns the comparison with another build of the service: interleaved pairs beside a control, which is this build a second time, and a verdict on each limit.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Redis } from 'ioredis';
import { load } from './load.ts';
import { median } from './median.ts';
import { bytesPerStartedSession } from './memory.ts';
import { refreshing, type ScriptFor, starting, verifying } from './scripts.ts';
import { type Server, startServer } from './server.ts';

/** How far the control may be off for the rest to say anything. */
const CONTROL_TOLERANCE = 0.03;
/** What a start may cost more than before. */
const MOST_MICROSECONDS_MORE = 15;
/** How much more of Redis a session may take than before, with as many sessions for each user. */
const MOST_BYTES_RATIO = 1.3;
const SESSIONS_PER_USER = 3;
const WARM_UP_ROUNDS = 2;
/** So many pairs of the same processes: two processes of one program differ by some per cent for as long as they live. */
const PAIRS_OF_A_PROCESS = 5;

const OPERATIONS: Readonly<Record<string, ScriptFor>> = {
  start: starting(),
  refresh: refreshing,
  verify: verifying,
};
/** A build and the number of its Redis database: builds need not understand each other's records. */
const BUILDS = ['before', 'now', 'control'] as const;
type Build = (typeof BUILDS)[number];

export interface Comparison {
  /** Checkout of the other build. */
  readonly dir: string;
  readonly pairs: number;
  readonly requests: number;
  readonly sessions: number;
  /** Names of operations; the limits are on `start`. */
  readonly operations: readonly string[];
}

/** The program of another checkout: its `dist` as it is; without one, it is built. */
function builtProgram(dir: string): string {
  const program = path.resolve(dir, 'dist/main.js');
  if (!existsSync(program)) {
    for (const args of [['ci'], ['run', 'build']]) {
      execFileSync('npm', args, { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
    }
  }
  return program;
}

const verdict = (held: boolean): string => (held ? 'held' : 'NOT HELD');
const signed = (value: number): string => `${value < 0 ? '' : '+'}${value.toFixed(1)}`;

/** Server CPU-µs of each round by operation and build. */
type Costs = Record<string, Record<Build, number[]>>;

type Servers = Readonly<Record<Build, Server>>;

async function startBuilds(program: string, redisUrl: string): Promise<Servers> {
  const [before, now, control] = await Promise.all([
    startServer({ program }, `${redisUrl}/0`),
    startServer('service', `${redisUrl}/1`),
    startServer('service', `${redisUrl}/2`),
  ]);
  return { before, now, control };
}

const stopBuilds = (servers: Servers): void => {
  for (const server of Object.values(servers)) server.stop();
};

/** One pair, and the control beside it, of each operation. */
async function measureRound(
  redis: Redis,
  servers: Servers,
  requests: number,
  builds: readonly Build[],
  costs: Costs,
): Promise<void> {
  for (const [name, each] of Object.entries(costs)) {
    for (const build of builds) {
      const server = servers[build];
      const script = await (OPERATIONS[name] as ScriptFor)(server);
      each[build].push((await load(server, redis, script, requests)).serverMicroseconds);
    }
  }
  process.stderr.write('.');
}

const noCosts = (operations: readonly string[]): Costs =>
  Object.fromEntries(operations.map((name) => [name, { before: [], now: [], control: [] }]));

async function measurePairs(
  redis: Redis,
  startAll: () => Promise<Servers>,
  { pairs, requests, operations }: Comparison,
): Promise<Costs> {
  const costs = noCosts(operations);
  for (let done = 0; done < pairs; done += PAIRS_OF_A_PROCESS) {
    const servers = await startAll();
    const most = Math.min(PAIRS_OF_A_PROCESS, pairs - done);
    for (let round = -WARM_UP_ROUNDS; round < most; round++) {
      // There and back again, so that neither side has the machine first every time.
      const builds = round % 2 === 0 ? BUILDS : [...BUILDS].reverse();
      const kept = round < 0 ? noCosts(operations) : costs;
      await measureRound(redis, servers, requests, builds, kept);
    }
    stopBuilds(servers);
  }
  process.stderr.write('\n');
  return costs;
}

function rowOf(name: string, { before, now, control }: Record<Build, number[]>) {
  const more = now.map((each, i) => each - (before[i] ?? Number.NaN));
  const off = control.map((each, i) => each / (now[i] ?? Number.NaN) - 1);
  return { name, before: median(before), now: median(now), more: median(more), off: median(off) };
}

/** Prints both tables; false if a limit is not held, or the control is too far off to tell. */
export async function compare(
  redis: Redis,
  redisUrl: string,
  comparison: Comparison,
): Promise<boolean> {
  const program = builtProgram(comparison.dir);
  const startAll = () => startBuilds(program, redisUrl);
  const costs = await measurePairs(redis, startAll, comparison);
  const rows = Object.entries(costs).map(([name, each]) => rowOf(name, each));
  console.table(
    rows.map(({ name, ...row }) => ({
      what: name,
      'before, CPU-µs': row.before.toFixed(0),
      'now, CPU-µs': row.now.toFixed(0),
      'difference of pairs': signed(row.more),
      'control off by': `${signed(100 * row.off)} %`,
    })),
  );

  const bytesOf = (server: Server) =>
    bytesPerStartedSession(redis, server, comparison.sessions, SESSIONS_PER_USER);
  const servers = await startAll();
  const bytes = { before: await bytesOf(servers.before), now: await bytesOf(servers.now) };
  stopBuilds(servers);
  const ratio = bytes.now / bytes.before;
  console.log(
    `Redis bytes per session, ${SESSIONS_PER_USER} for each user: before ${Math.round(bytes.before)}, now ${Math.round(bytes.now)}, ratio ${ratio.toFixed(2)}`,
  );

  const start = rows.find(({ name }) => name === 'start');
  const limits = {
    [`control of start within ${100 * CONTROL_TOLERANCE} %`]:
      Math.abs(start?.off ?? Number.NaN) <= CONTROL_TOLERANCE,
    [`start at most ${MOST_MICROSECONDS_MORE} CPU-µs more`]:
      (start?.more ?? Number.NaN) <= MOST_MICROSECONDS_MORE,
    [`bytes per session at most ${MOST_BYTES_RATIO} times as many`]: ratio <= MOST_BYTES_RATIO,
  };
  for (const [limit, held] of Object.entries(limits)) console.log(`${limit}: ${verdict(held)}`);
  return Object.values(limits).every(Boolean);
}
