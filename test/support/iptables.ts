/** Owns finding an iptables that may drop packets here: installed, cached or downloaded as a Debian package. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { libraryFolders, unpackDebianPackages } from './debian-packages.ts';

/** Runs iptables with these arguments; throws if it fails. */
export type Iptables = (args: readonly string[]) => void;

const tried = (command: string, env: NodeJS.ProcessEnv): Iptables | undefined => {
  const iptables: Iptables = (args) => {
    execFileSync(command, args, { env, stdio: 'ignore' });
  };
  try {
    iptables(['-S', 'INPUT']);
    return iptables;
  } catch {
    return undefined;
  }
};

async function unpacked(): Promise<Iptables | undefined> {
  const root = await unpackDebianPackages(['iptables']);
  const folders = await libraryFolders(root);
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: folders.join(':'),
    XTABLES_LIBDIR: folders.map((folder) => path.join(folder, 'xtables')).join(':'),
  };
  const commands = ['iptables-nft', 'iptables-legacy'].map((name) => `${root}/usr/sbin/${name}`);
  for (const command of commands) {
    const iptables = tried(command, env);
    if (iptables) return iptables;
  }
  return undefined;
}

let found: Promise<Iptables | undefined> | undefined;

/** Undefined where nothing can be fetched, or the user has no right to drop packets. */
export function findIptables(): Promise<Iptables | undefined> {
  found ??= (async () => {
    const installed = tried('iptables', process.env);
    if (installed || process.getuid?.() !== 0) return installed;
    return unpacked().catch(() => undefined);
  })();
  return found;
}
