// Owns the list of what every fault run must call: each operation of the contract, or the reason why it is not called.

import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { type Document, readOperations } from './fuzz/contract.ts';

const CONTRACT = new URL('../openapi.yaml', import.meta.url);

/** Operations that no run calls through its client, and why. */
export const EXEMPT: Readonly<Record<string, string>> = {
  readKeys: 'a copy of the JWKS is kept as long as its max-age allows (I13), apart from the client',
  readMetrics: 'asks no store; read for its secrets at the end of each run',
  readMetadata: 'asks no store',
  readDiscovery: 'asks no store',
  live: 'asks no store; the drained instance is asked for it',
  ready: 'each start of a process waits for its port, which opens when it is ready',
};

/** Operations of the contract that none of these calls (`GET /sessions/a/b/c`) was for, and that are not exempt. */
export async function neverCalled(calls: ReadonlySet<string>): Promise<readonly string[]> {
  const document = parse(await readFile(CONTRACT, 'utf8')) as Document;
  const called = [...calls];
  return readOperations(document)
    .filter(({ id }) => !(id in EXEMPT))
    .filter(({ method, path }) => {
      const form = new RegExp(`^${method} ${path.replace(/\{[^}]+\}/g, '[^/]+')}$`);
      return !called.some((call) => form.test(call));
    })
    .map(({ id }) => id);
}
