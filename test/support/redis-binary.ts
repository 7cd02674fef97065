/** Owns finding redis-server (7.0 or newer) and libfaketime: installed, cached or downloaded. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { libraryFolders, unpackDebianPackages } from './debian-packages.ts';

const run = promisify(execFile);

const OLDEST_MAJOR = 7;

const HOW_TO_INSTALL =
  'Install Redis 7.0 or newer and libfaketime, so that redis-server is on the PATH: ' +
  '"apt-get install redis-server faketime" (Debian, Ubuntu), "dnf install redis libfaketime" (Fedora), ' +
  '"brew install redis libfaketime" (macOS).';

export type RedisBinary = {
  /** Path of redis-server. */
  readonly server: string;
  /** Path of redis-cli. */
  readonly cli: string;
  /** Arguments that turn redis-server into a sentinel, to follow the path of its configuration file. */
  readonly sentinelArgs: readonly string[];
  /** Environment variables both binaries need (the folder of unpacked libraries), to add to the ordinary ones. */
  readonly env: Readonly<Record<string, string>>;
  /** Path of libfaketime when it is on hand; `findFaketime` also fetches it. */
  readonly faketime: string | undefined;
};

let redis: Promise<RedisBinary> | undefined;
let faketime: Promise<string> | undefined;

/**
 * Finds redis-server 7.0 or newer on the PATH, else in the cache of unpacked Debian packages, else downloads it there
 * (about 3 s, once per machine). Asked again in one process it answers from memory.
 *
 * @throws Error that says what to install when there is no Redis and none can be fetched.
 */
export function findRedis(): Promise<RedisBinary> {
  redis ??= locateRedis();
  return redis;
}

/**
 * Finds libfaketime as `findRedis` finds Redis: installed, cached or downloaded. Returns the path of its shared library.
 *
 * @throws Error that says what to install.
 */
export function findFaketime(): Promise<string> {
  faketime ??= locateFaketime();
  return faketime;
}

async function locateRedis(): Promise<RedisBinary> {
  const server = await onPath('redis-server');
  const cli = await onPath('redis-cli');
  const version = server === undefined ? undefined : await majorVersion(server, {});
  if (
    server !== undefined &&
    cli !== undefined &&
    version !== undefined &&
    version >= OLDEST_MAJOR
  ) {
    return {
      server,
      cli,
      sentinelArgs: ['--sentinel'],
      env: {},
      faketime: await installedFaketime(),
    };
  }
  const found =
    server === undefined
      ? 'no redis-server on the PATH'
      : `${server} is of version ${version ?? 'unknown'}`;
  try {
    return await unpackedRedis();
  } catch (error) {
    throw new Error(`${found}, and none could be fetched (${reason(error)}). ${HOW_TO_INSTALL}`, {
      cause: error,
    });
  }
}

async function unpackedRedis(): Promise<RedisBinary> {
  const root = await unpackDebianPackages(['redis-server', 'redis-tools', 'libfaketime']);
  const folders = await libraryFolders(root);
  const env = { LD_LIBRARY_PATH: folders.join(':') };
  const server = path.join(root, 'usr', 'bin', 'redis-server');
  const version = await majorVersion(server, env);
  if (version === undefined) throw new Error(`${server} does not run`);
  if (version < OLDEST_MAJOR) throw new Error(`this system's package is Redis ${version}`);
  return {
    server,
    cli: path.join(root, 'usr', 'bin', 'redis-cli'),
    sentinelArgs: ['--sentinel'],
    env,
    faketime: (await installedFaketime()) ?? (await firstReadable(folders.map(faketimeIn))),
  };
}

async function locateFaketime(): Promise<string> {
  const known = (await findRedis()).faketime;
  if (known !== undefined) return known;
  try {
    const folders = await libraryFolders(await unpackDebianPackages(['libfaketime']));
    const library = await firstReadable(folders.map(faketimeIn));
    if (library === undefined) throw new Error('the package holds no libfaketime.so.1');
    return library;
  } catch (error) {
    throw new Error(
      `A Redis with a movable clock needs libfaketime: not installed, and could not be fetched (${reason(error)}). ${HOW_TO_INSTALL}`,
      { cause: error },
    );
  }
}

async function installedFaketime(): Promise<string | undefined> {
  if (process.platform === 'darwin') {
    const prefixes = ['/opt/homebrew/lib/faketime', '/usr/local/lib/faketime'];
    return firstReadable(prefixes.map((folder) => path.join(folder, 'libfaketime.1.dylib')));
  }
  const folders = ['/usr/lib64', '/usr/local/lib', '/usr/lib', ...(await libraryFolders('/'))];
  return firstReadable(folders.map(faketimeIn));
}

/** The plain library: libfaketimeMT adds a mutex to each look at the clock, which Redis does not need. */
function faketimeIn(folder: string): string {
  return path.join(folder, 'faketime', 'libfaketime.so.1');
}

async function onPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const file = path.join(folder, name);
    if (folder !== '' && (await accessible(file, constants.X_OK))) return file;
  }
  return undefined;
}

async function firstReadable(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if (await accessible(file, constants.R_OK)) return file;
  return undefined;
}

async function accessible(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}

/** `redis-server --version` prints "Redis server v=7.0.15 sha=…"; undefined when it does not run. */
async function majorVersion(
  server: string,
  env: Record<string, string>,
): Promise<number | undefined> {
  try {
    const { stdout } = await run(server, ['--version'], {
      env: { ...process.env, ...env },
      timeout: 10_000,
    });
    const major = /v=(\d+)\./.exec(stdout)?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}
