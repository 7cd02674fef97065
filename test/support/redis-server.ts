/** Owns a standalone real Redis for a test: its port and folder; stopping, freezing, restarting it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './free-port.ts';
import { createRedisClock, type RedisClock, type RedisClockFile } from './redis-clock.ts';
import { type RedisProcess, startRedisProcess } from './redis-process.ts';

/** So many free ports are tried when other processes keep taking them first. */
const PORT_ATTEMPTS = 5;

export type RedisOptions = {
  readonly appendonly?: boolean;
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  /** Folder for its files; by default one of its own, which `stop` removes. */
  readonly dir?: string;
  readonly port?: number;
  /** Such as '16mb'. */
  readonly maxmemory?: string;
  readonly password?: string;
  readonly extraArgs?: readonly string[];
  /** Gives the server a clock that stands still and that the test sets, see `RedisServer.clock`. */
  readonly movableClock?: boolean;
};

export type RedisServer = {
  readonly port: number;
  readonly url: string;
  readonly dir: string;
  /** Of the process that runs now or ran last. */
  readonly pid: number;
  /** SIGKILL, as in a crash, and waits until the process is gone. */
  kill(): Promise<void>;
  /** After `kill`: starts it again on the same port and folder, and waits until it has loaded its data. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void;
  /** Ends `freeze`. */
  thaw(): void;
  /** Kills it for good and removes its folder, unless the caller chose that. */
  stop(): Promise<void>;
  readonly clock?: RedisClock;
};

/** How to launch a server of any kind: what `startRedis`, the cluster and the sentinels have in common. */
export type ServerPlan = {
  /** The server's arguments; asked once per port that is tried. */
  readonly args: (port: number, dir: string) => readonly string[] | Promise<readonly string[]>;
  readonly dir?: string | undefined;
  readonly port?: number | undefined;
  readonly password?: string | undefined;
  readonly clock?: RedisClockFile | undefined;
  /** Runs when the server has been stopped for good, or could not be started. */
  readonly afterStop?: (() => Promise<void>) | undefined;
};

/**
 * Starts a Redis on 127.0.0.1 without persistence (unless `appendonly`), ready to serve.
 *
 * With `movableClock` its clock stands still from here on, at the present ms.
 *
 * @throws Error when there is no Redis (see `findRedis`), no libfaketime, or the server does not start.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const clock = options.movableClock === true ? await createRedisClock() : undefined;
  const server = await startServer({
    args: (port, dir) => [...baseArgs(port, dir), ...optionArgs(options)],
    dir: options.dir,
    port: options.port,
    password: options.password,
    clock,
    afterStop: clock?.remove,
  });
  await clock?.set(Date.now());
  return server;
}

/** Arguments every server of the tests gets: loopback only, nothing saved, its own folder. */
export function baseArgs(port: number, dir: string): string[] {
  return [
    ...['--port', String(port)],
    ...['--bind', '127.0.0.1'],
    ...['--dir', dir],
    ...['--save', ''],
  ];
}

/** Starts a server by plan: finds a port unless the plan names one, and makes a folder unless the plan names one. */
export async function startServer(plan: ServerPlan): Promise<RedisServer> {
  const dir = plan.dir ?? (await mkdtemp(path.join(tmpdir(), 'redis-')));
  const cleanUp = async (): Promise<void> => {
    if (plan.dir === undefined) await rm(dir, { recursive: true, force: true });
    await plan.afterStop?.();
  };
  const launch = async (port: number, args: readonly string[]): Promise<RedisProcess> =>
    startRedisProcess({ args, port, password: plan.password, env: plan.clock?.env ?? {} });

  let port = plan.port ?? 0;
  let args: readonly string[] = [];
  let running: RedisProcess | undefined;
  for (let attempt = 1; running === undefined; attempt += 1) {
    port = plan.port ?? (await freePort());
    args = await plan.args(port, dir);
    try {
      running = await launch(port, args);
    } catch (error) {
      if (plan.port === undefined && attempt < PORT_ATTEMPTS) continue;
      await cleanUp();
      throw error;
    }
  }
  return manage({ plan, port, dir, running, restart: () => launch(port, args), cleanUp });
}

type Managed = {
  readonly plan: ServerPlan;
  readonly port: number;
  readonly dir: string;
  readonly running: RedisProcess;
  readonly restart: () => Promise<RedisProcess>;
  readonly cleanUp: () => Promise<void>;
};

function manage({ plan, port, dir, running, restart, cleanUp }: Managed): RedisServer {
  let current = running;
  const login = plan.password === undefined ? '' : `:${encodeURIComponent(plan.password)}@`;
  return {
    port,
    url: `redis://${login}127.0.0.1:${port}`,
    dir,
    get pid() {
      return current.pid;
    },
    kill: () => current.kill(),
    start: async () => {
      current = await restart();
    },
    freeze: () => current.freeze(),
    thaw: () => current.thaw(),
    stop: async () => {
      await current.kill();
      await cleanUp();
    },
    ...(plan.clock === undefined ? {} : { clock: plan.clock }),
  };
}

function optionArgs(options: RedisOptions): string[] {
  return [
    ...(options.appendonly === true ? ['--appendonly', 'yes'] : []),
    ...(options.appendfsync === undefined ? [] : ['--appendfsync', options.appendfsync]),
    ...(options.maxmemory === undefined ? [] : ['--maxmemory', options.maxmemory]),
    ...(options.password === undefined ? [] : ['--requirepass', options.password]),
    ...(options.extraArgs ?? []),
  ];
}
