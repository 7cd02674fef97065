/** Owns one redis-server process: starting it until it answers, its signals, its death with the test. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRedis, type RedisBinary } from './redis-binary.ts';

/** A server that has not answered PING by then is given up, in ms. Loading a big append-only file may take seconds. */
const START_DEADLINE_MS = 15_000;
const PING_EVERY_MS = 10;

export type RedisLaunch = {
  readonly args: readonly string[];
  readonly port: number;
  readonly password: string | undefined;
  readonly env: Readonly<Record<string, string>>;
};

export type RedisProcess = {
  readonly pid: number;
  /** Sends SIGKILL and waits until the process is gone. Does nothing when it is gone already. */
  kill(): Promise<void>;
  /** SIGSTOP: the process keeps its connections and answers nothing. */
  freeze(): void;
  /** SIGCONT, after `freeze`. */
  thaw(): void;
};

const killAtExit = new Set<() => void>();
// One handler for all servers: Node warns of a leak at the eleventh.
process.on('exit', () => {
  for (const kill of killAtExit) kill();
});

/**
 * Starts redis-server and waits until this very process answers PING with PONG (not -LOADING).
 *
 * @throws Error with the server's last output when it exits first (a taken port, a bad argument) or is not ready in 15 s.
 */
export async function startRedisProcess(launch: RedisLaunch): Promise<RedisProcess> {
  const child = spawnTied(await findRedis(), launch);
  const pid = child.pid;
  if (pid === undefined) {
    const [error] = await once(child, 'error');
    throw error;
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;

  const killNow = (): void => {
    if (!gone()) child.kill('SIGKILL');
    removeSharedMemory(pid);
  };
  killAtExit.add(killNow);
  const kill = async (): Promise<void> => {
    killNow();
    await exited;
    killAtExit.delete(killNow);
  };

  const output = tail(child);
  const deadline = performance.now() + START_DEADLINE_MS;
  while (!(await answersPing(launch.port, launch.password, pid))) {
    if (gone() || performance.now() > deadline) {
      const what = gone() ? 'exited at once' : `was not ready in ${START_DEADLINE_MS} ms`;
      await kill();
      throw new Error(`redis-server on port ${launch.port} ${what}: ${output()}`);
    }
    await sleep(PING_EVERY_MS);
  }
  const signal = (name: NodeJS.Signals): void => {
    if (!child.kill(name)) throw new Error(`redis-server on port ${launch.port} is not running`);
  };
  return { pid, kill, freeze: () => signal('SIGSTOP'), thaw: () => signal('SIGCONT') };
}

/** On Linux the kernel kills the server when the test process dies in whatever way; elsewhere only the exit handler does. */
function spawnTied({ server, env }: RedisBinary, launch: RedisLaunch): ChildProcess {
  const own = { ...env, ...launch.env };
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  if (process.platform === 'linux' && existsSync('/usr/bin/setpriv')) {
    // Through env, so that setpriv itself is spared the preloaded libraries. Both exec: the pid is the server's.
    const assignments = Object.entries(own).map(([name, value]) => `${name}=${value}`);
    const command = ['--pdeathsig', 'KILL', '/usr/bin/env', ...assignments, server, ...launch.args];
    return spawn('/usr/bin/setpriv', command, { stdio });
  }
  return spawn(server, [...launch.args], { stdio, env: { ...process.env, ...own } });
}

/** libfaketime leaves these behind when killed, and a later server with the same pid would then refuse to start. */
function removeSharedMemory(pid: number): void {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
    rmSync(`/dev/shm/${name}`, { force: true });
}

/** Keeps the last lines of output for an error message, and reads on so that the pipe never fills. */
function tail(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-1000);
    });
  }
  return () => text.trim();
}

/** Asks for the process id too: on a port that clashes, some other Redis may be the one that answers. */
function answersPing(port: number, password: string | undefined, pid: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let reply = '';
    const finish = (): void => {
      socket.destroy();
      resolve(reply.includes('+PONG') && reply.includes(`process_id:${pid}\r`));
    };
    socket.setTimeout(1000, finish);
    socket.on('error', finish);
    socket.on('close', finish);
    socket.on('connect', () => {
      const login = password === undefined ? '' : `AUTH ${password}\r\n`;
      socket.write(`${login}PING\r\nINFO server\r\n`);
    });
    socket.on('data', (chunk: Buffer) => {
      reply += chunk.toString();
      if (/process_id:\d+\r/.test(reply) || reply.startsWith('-')) finish();
    });
  });
}
