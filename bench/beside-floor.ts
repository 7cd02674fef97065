// Owns start, refresh and verify beside a floor in the same run: interleaved, as medians, with the ratio of each to the floor.

import type { Redis } from 'ioredis';
import { load, type Sample } from './load.ts';
import { median } from './median.ts';
import { refreshing, type ScriptFor, starting, verifying } from './scripts.ts';
import { type Server, startServer } from './server.ts';

/** So many rounds of the same processes: two processes of one program differ by some per cent for as long as they live. */
const ROUNDS_OF_A_PROCESS = 3;
const WARM_UP_ROUNDS = 2;

const KINDS = { floor: 'floor', control: 'floor', service: 'service' } as const;
type ServerName = keyof typeof KINDS;

interface Subject {
  readonly name: string;
  /** The subject that this one is a multiple of. */
  readonly against: string;
  readonly server: ServerName;
  readonly script: ScriptFor;
  readonly samples: Sample[];
}

function rowOf({ name, samples, against }: Subject, subjects: readonly Subject[]) {
  const base = subjects.find((each) => each.name === against)?.samples ?? [];
  const ratios = samples.map(
    ({ serverMicroseconds }, i) => serverMicroseconds / (base[i]?.serverMicroseconds ?? Number.NaN),
  );
  const of = (pick: (sample: Sample) => number) => median(samples.map(pick)).toFixed(0);
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
}

const subject = (
  name: string,
  against: string,
  server: ServerName,
  script: ScriptFor,
): Subject => ({
  name,
  against,
  server,
  script,
  samples: [],
});

/** Some rounds with processes of their own. */
async function measureProcesses(
  redis: Redis,
  redisUrl: string,
  subjects: readonly Subject[],
  rounds: number,
  requests: number,
): Promise<void> {
  const started = Object.entries(KINDS).map(
    async ([name, kind]) => [name, await startServer(kind, redisUrl)] as const,
  );
  const servers = Object.fromEntries(await Promise.all(started)) as Record<ServerName, Server>;
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    for (const { server, script, samples } of subjects) {
      const sample = await load(servers[server], redis, await script(servers[server]), requests);
      if (round >= 0) samples.push(sample);
    }
    process.stderr.write('.');
  }
  for (const server of Object.values(servers)) server.stop();
}

/** One row for each subject, ready to be printed. */
export async function measureBesideFloor(
  redis: Redis,
  redisUrl: string,
  rounds: number,
  requests: number,
): Promise<readonly object[]> {
  const subjects = [
    subject('floor start', 'floor start', 'floor', starting()),
    subject('floor start (control)', 'floor start', 'control', starting()),
    subject('start', 'floor start', 'service', starting()),
    subject('refresh', 'floor start', 'service', refreshing),
    subject('floor verify', 'floor verify', 'floor', verifying),
    subject('verify', 'floor verify', 'service', verifying),
  ];
  for (let left = rounds; left > 0; left -= ROUNDS_OF_A_PROCESS) {
    const some = Math.min(left, ROUNDS_OF_A_PROCESS);
    await measureProcesses(redis, redisUrl, subjects, some, requests);
  }
  return subjects.map((each) => rowOf(each, subjects));
}
