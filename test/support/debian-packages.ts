/** Owns fetching Debian packages into a private cache folder, without root or the system's apt state. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Longest wait for one apt or dpkg command, in ms: the package lists alone are some 20 MB. */
const COMMAND_TIMEOUT_MS = 180_000;

/**
 * Unpacks Debian packages, with those shared libraries they need that this machine lacks, and returns the folder that
 * now holds their `usr/` tree. A folder that is there already is reused as it is (well under a millisecond).
 *
 * Two processes may do this at once: each unpacks into its own temporary folder, and the first to rename it wins.
 *
 * @throws Error when apt-get or dpkg-deb is missing or fails (no network, no such package).
 */
export async function unpackDebianPackages(packages: readonly string[]): Promise<string> {
  const root = path.join(cacheFolder(), `${await systemName()}-${packages.join('+')}`);
  if (await exists(root)) return root;

  await mkdir(cacheFolder(), { recursive: true });
  const work = await mkdtemp(path.join(cacheFolder(), 'unpacking-'));
  try {
    await download(packages, work);
    const unpacked = path.join(work, 'root');
    await mkdir(unpacked);
    const archives = path.join(work, 'cache', 'archives');
    for (const file of await readdir(archives)) {
      if (file.endsWith('.deb'))
        await command('dpkg-deb', ['-x', path.join(archives, file), unpacked]);
    }
    await renameUnlessTaken(unpacked, root);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return root;
}

/** The library folders inside an unpacked tree, for LD_LIBRARY_PATH. */
export async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const lib of [path.join(root, 'usr', 'lib'), path.join(root, 'lib')]) {
    const names = await readdir(lib).catch(() => []);
    for (const name of names) if (name.endsWith('-linux-gnu')) folders.push(path.join(lib, name));
  }
  return folders;
}

async function download(packages: readonly string[], work: string): Promise<void> {
  const lists = path.join(work, 'lists');
  const cache = path.join(work, 'cache');
  await mkdir(path.join(lists, 'partial'), { recursive: true });
  await mkdir(path.join(cache, 'archives', 'partial'), { recursive: true });
  const privateState = [
    ...['-o', `Dir::State::lists=${lists}`],
    ...['-o', `Dir::Cache=${cache}`],
    // Docker images tell apt to delete what it downloaded.
    ...['-o', 'APT::Keep-Downloaded-Packages=true'],
    // The lock belongs to the system's state, which stays untouched; nor may root step down to the _apt user, who
    // could not write here.
    ...['-o', 'Debug::NoLocking=true', '-o', 'APT::Sandbox::User='],
  ];
  await command('apt-get', [...privateState, '-qq', 'update']);
  // "install --download-only" fetches exactly what is not installed here, dependencies included, and installs nothing.
  const install = ['-qq', '-y', '--no-install-recommends', '--download-only', 'install'];
  await command('apt-get', [...privateState, ...install, ...packages]);
}

async function renameUnlessTaken(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(await exists(to))) throw error;
  }
}

async function command(name: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  await run(name, [...args], { timeout: COMMAND_TIMEOUT_MS, env });
}

function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  return path.join(base, 'session-mint-test');
}

/** For instance `debian-12-x64`: libraries unpacked on one system must not be used on another that shares the home. */
async function systemName(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string): string =>
    new RegExp(`^${name}="?([\\w.-]+)`, 'm').exec(release)?.[1] ?? 'unknown';
  return `${field('ID')}-${field('VERSION_ID')}-${process.arch}`;
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
