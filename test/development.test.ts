// Owns the promises of the first minute: one root key for all starts, and a command that works when pasted.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { curlCommand, keptRootKey } from '../src/development.ts';

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'root-key-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

it('the root key is made once and found again, readable by its owner only', () => {
  const file = join(folder(), 'kept', 'root-api-key');
  const key = keptRootKey(file, randomBytes);
  expect(key.length).toBeGreaterThanOrEqual(32);
  expect(keptRootKey(file, randomBytes)).toBe(key);
  expect(readFileSync(file, 'utf8')).toBe(`${key}\n`);
  expect(statSync(file).mode & 0o077).toBe(0);
});

it('without a place to keep it the key is still there', () => {
  const file = join(folder(), 'a-file');
  writeFileSync(file, '');
  expect(keptRootKey(join(file, 'below', 'key'), randomBytes)).not.toBe('');
});

/** The arguments that a shell would hand to curl. */
const argumentsOf = (command: string): string[] =>
  execFileSync('sh', ['-c', `curl() { for each; do printf '%s\\n' "$each"; done; }; ${command}`])
    .toString()
    .trimEnd()
    .split('\n');

it.each([
  ['0.0.0.0', 'http://127.0.0.1:3000/sessions'],
  ['::', 'http://127.0.0.1:3000/sessions'],
  ['::1', 'http://[::1]:3000/sessions'],
  ['10.0.0.7', 'http://10.0.0.7:3000/sessions'],
])('the command for a service on %s asks %s, whatever the key holds', (host, address) => {
  const key = `it's "$HOME" \`id\``;
  const [, url, , authorization, , , , body = ''] = argumentsOf(curlCommand(host, 3000, key));
  expect(url).toBe(address);
  expect(authorization).toBe(`Authorization: Bearer ${key}`);
  expect(JSON.parse(body)).toMatchObject({ data: { userId: 'user_123' } });
});
