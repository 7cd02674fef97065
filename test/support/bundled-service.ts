// Owns the file that tests run the service from: bundled once a test process, because compiling it at each start costs more than the start.

import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let built: string | undefined;

function build(): string {
  const { outputFiles } = buildSync({
    entryPoints: [path.join(ROOT, 'src', 'main.ts')],
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const text = outputFiles[0]?.contents ?? '';
  // Three folders below the root, as the module is that reads `docs` from there. By what is in it: several processes build at once.
  const name = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const folder = path.join(ROOT, 'node_modules', '.test-service', name);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'main.mjs');
  const unfinished = path.join(folder, `${process.pid}.unfinished`);
  writeFileSync(unfinished, text);
  renameSync(unfinished, file);
  return file;
}

/** Path of `src/main.ts` and all that it imports of `src`, as one module. */
export function bundledService(): string {
  built ??= build();
  return built;
}
