// Owns running the real service as a process of its own, as an operator would.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundledService } from './bundled-service.ts';

const START_TIMEOUT_MS = 40_000;

export const TEST_ROOT_KEY = 'root-key-of-the-tests-0123456789';
export const TEST_SECRET = 'secret-of-the-tests-0123456789abcdef';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServiceProcess {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** All that the process has written so far, stdout and stderr. */
  output(): string;
  /** Sends a JSON request with the root key; `body` undefined makes it a GET unless `method` says otherwise. */
  call(path: string, body?: unknown, method?: string): Promise<Response>;
  kill(signal?: NodeJS.Signals): void;
  readonly exited: Promise<Exit>;
  /** Kills the process and waits for its end. */
  stop(): Promise<void>;
}

export interface RunningOutput {
  readonly child: ChildProcess;
  output(): string;
  readonly exited: Promise<Exit>;
}

const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts the process with exactly this environment (and PATH) in an empty working directory. */
export async function spawnService(
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<RunningOutput> {
  const cwd = await mkdtemp(join(tmpdir(), 'session-mint-'));
  const child = spawn(process.execPath, [bundledService(), ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', UV_THREADPOOL_SIZE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const exited = once(child, 'close').then(async ([code, signal]) => {
    children.delete(child);
    await rm(cwd, { recursive: true, force: true });
    return { code, signal } as Exit;
  });
  return { child, output: () => text, exited };
}

/** Starts the service on a free port with the test keys, and resolves once it listens. Rejects with its output if it ends instead. */
export async function startService(
  env: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  const rootKey = env['ROOT_API_KEY'] ?? TEST_ROOT_KEY;
  const running = await spawnService({
    PORT: '0',
    SECRET: TEST_SECRET,
    ROOT_API_KEY: rootKey,
    ...env,
  });
  const port = await listeningPort(running);
  const url = `http://127.0.0.1:${port}`;
  const { child, output, exited } = running;
  return {
    url,
    port,
    pid: child.pid ?? 0,
    output,
    exited,
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    call: (path, body, method = body === undefined ? 'GET' : 'POST') =>
      fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${rootKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function listeningPort({ child, output, exited }: RunningOutput): Promise<number> {
  const deadline = AbortSignal.timeout(START_TIMEOUT_MS);
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  for (;;) {
    const port = /"port":(\d+).*"msg":"listening"/.exec(output())?.[1];
    if (port !== undefined) return Number(port);
    if (ended || deadline.aborted) throw new Error(`the service did not start:\n${output()}`);
    await Promise.race([
      once(child.stdout as NodeJS.ReadableStream, 'data'),
      exited,
      once(deadline, 'abort'),
    ]);
  }
}
