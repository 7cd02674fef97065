// Owns what makes the first minute easy outside production: a root key kept between starts, and a curl command that works when pasted.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RandomBytes } from './sessions/ambient.ts';

/** The root key kept in `file`, or a new one put there. If the file cannot be written the key lives as long as the process. */
export function keptRootKey(file: string, randomBytes: RandomBytes): string {
  try {
    const kept = readFileSync(file, 'utf8').trim();
    if (kept !== '') return kept;
  } catch {
    // Not there yet, or not readable: a new one then.
  }
  const key = randomBytes(24).toString('base64url');
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
  } catch {
    // A read-only file system; the key is printed anyway.
  }
  return key;
}

const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const ANY_ADDRESS = new Set(['0.0.0.0', '::', '']);

/** A command that starts a session on the service listening at `host` and `port`. */
export function curlCommand(host: string, port: number, rootKey: string): string {
  const name = ANY_ADDRESS.has(host) ? '127.0.0.1' : host;
  const authority = `${name.includes(':') ? `[${name}]` : name}:${port}`;
  const body = {
    product: 'my-app',
    env: 'dev',
    tag: 'user-session',
    data: { userId: 'user_123', details: { username: 'johndoe' } },
  };
  return [
    `curl -sS http://${authority}/sessions`,
    `-H ${shellQuote(`Authorization: Bearer ${rootKey}`)}`,
    "-H 'Content-Type: application/json'",
    `-d ${shellQuote(JSON.stringify(body))}`,
  ].join(' ');
}
