// Owns a server under measurement: a process of its own, and how much CPU it has used.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Server {
  readonly port: number;
  /** CPU time of the process so far, all threads, user and system, in microseconds. */
  cpuMicroseconds(): number;
  stop(): void;
}

export const ROOT_KEY = 'root-key-of-the-bench-0123456789';
const START_TIMEOUT_MS = 20_000;
/** Linux counts process times in hundredths of a second. */
const MICROSECONDS_PER_TICK = 10_000;

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const kinds = {
  service: [inRepository('dist/main.js')],
  floor: ['--import', import.meta.resolve('tsx'), inRepository('bench/floor.ts')],
} as const;

/** What to start: this build, the floor, or the built program of another checkout. */
export type ServerKind = keyof typeof kinds | { readonly program: string };

const argumentsOf = (kind: ServerKind): readonly string[] =>
  typeof kind === 'object' ? [kind.program] : kinds[kind];

async function portOf(child: ChildProcess): Promise<number> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let output = '';
  child.stdout?.on('data', (chunk) => {
    // The rest is read and dropped: a full pipe would stop the server.
    if (output.length < 10_000) output += String(chunk);
  });
  while (Date.now() < deadline && child.exitCode === null) {
    const port = /127\.0\.0\.1:(\d+)/.exec(output)?.[1];
    if (port !== undefined) return Number(port);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the server did not start: ${output}`);
}

/** Starts a server on this Redis; `env` adds to or replaces its environment. */
export async function startServer(
  kind: ServerKind,
  redisUrl: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const child = spawn(process.execPath, argumentsOf(kind), {
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      REDIS_URL: redisUrl,
      SECRET: 'secret-of-the-bench-0123456789abcdef',
      ROOT_API_KEY: ROOT_KEY,
      MAX_SESSIONS_PER_USER: '1000000',
      UV_THREADPOOL_SIZE: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await portOf(child);
  return {
    port,
    cpuMicroseconds() {
      const fields =
        readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}
