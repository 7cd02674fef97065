// Owns start, refresh and verify beside a floor in the same run: interleaved, as medians, with the ratio of each to the floor.

import type { Redis } from 'ioredis';
import { load, type Sample } from './load.ts';
import { median } from './median.ts';
import { refreshing, type ScriptFor, starting, verifying } from './scripts.ts';
import { type Server, startServer } from './server.ts';

interface Subject {
  readonly name: string;
  /** The subject that this one is a multiple of. */
  readonly against: string;
  readonly server: Server;
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

/** One row for each subject, ready to be printed. */
export async function measureBesideFloor(
  redis: Redis,
  redisUrl: string,
  rounds: number,
  requests: number,
): Promise<readonly object[]> {
  const [floor, control, service] = await Promise.all([
    startServer('floor', redisUrl),
    startServer('floor', redisUrl),
    startServer('service', redisUrl),
  ]);
  const subject = (name: string, against: string, server: Server, script: ScriptFor): Subject => ({
    name,
    against,
    server,
    script,
    samples: [],
  });
  const subjects = [
    subject('floor start', 'floor start', floor, starting()),
    subject('floor start (control)', 'floor start', control, starting()),
    subject('start', 'floor start', service, starting()),
    subject('refresh', 'floor start', service, refreshing),
    subject('floor verify', 'floor verify', floor, verifying),
    subject('verify', 'floor verify', service, verifying),
  ];
  for (let round = -1; round < rounds; round++) {
    for (const { server, script, samples } of subjects) {
      const sample = await load(server, redis, await script(server), requests);
      // The first round only warms up.
      if (round >= 0) samples.push(sample);
    }
    process.stderr.write('.');
  }
  for (const server of [floor, control, service]) server.stop();
  return subjects.map((each) => rowOf(each, subjects));
}
