// Owns the proof that the walls between the layers stand: what a layer may not do is an error of the linter, which `npm run check` runs.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const inRepository = (path: string): string =>
  fileURLToPath(new URL(`../${path}`, import.meta.url));

const imports = (...names: string[]) => names.map((name) => `import '${name}';`);
const EVERYWHERE = imports('left-pad', 'node:child_process', 'node:https', 'close-with-grace');
const PROCESS_ENV = 'export const port = process.env["PORT"];';
const AMBIENT = 'export const now = () => Date.now();';

/** What must be refused, by the folder that it stands in. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  'src/sessions': [
    ...EVERYWHERE,
    ...imports('ioredis', 'fastify', '@fastify/swagger', 'typebox', 'typebox/compile', 'pino'),
    ...imports('prom-client', '@msgpack/msgpack', 'negotiator', 'node:fs', 'node:net', 'ajv'),
    ...imports('../stores/limits.ts', '../callers/caller.ts', '../http/problem.ts'),
    ...imports('../config.ts', '../app.ts', './../app.ts'),
    "export type { Caller } from '../callers/caller.ts';",
    "export const later = () => import('../app.ts');",
    PROCESS_ENV,
    AMBIENT,
  ],
  'src/callers': [
    ...EVERYWHERE,
    ...imports('ioredis', 'fastify', '@fastify/swagger', 'typebox', 'pino', 'jose'),
    ...imports('../stores/limits.ts', '../http/problem.ts', '../config-schema.ts', '../main.ts'),
    PROCESS_ENV,
    AMBIENT,
  ],
  'src/stores': [
    ...EVERYWHERE,
    ...imports('ioredis', 'fastify', 'pino', './redis/connect.ts'),
    ...imports('../callers/caller.ts', '../http/problem.ts', '../config.ts', '../app.ts'),
    PROCESS_ENV,
    AMBIENT,
  ],
  'src/stores/redis': [
    ...EVERYWHERE,
    ...imports('fastify', '@fastify/rate-limit', 'pino', 'jose', 'typebox'),
    ...imports('../../callers/caller.ts', '../../http/problem.ts', '../../config.ts'),
    PROCESS_ENV,
    AMBIENT,
  ],
  'src/http': [
    ...EVERYWHERE,
    ...imports('ioredis', '@msgpack/msgpack', '../stores/limits.ts', '../config.ts', '../app.ts'),
    PROCESS_ENV,
  ],
  'src/http/routes': [
    ...EVERYWHERE,
    ...imports('ioredis', '../../stores/redis/connect.ts', '../../config.ts', '../../main.ts'),
    PROCESS_ENV,
  ],
  src: [PROCESS_ENV],
};

const cases = Object.entries(FORBIDDEN).flatMap(([folder, lines]) =>
  lines.map((line, i) => ({ path: `${folder}/case-${i}.ts`, line })),
);

/** A copy of the linter's configuration, with nothing beside it but what is to be judged. */
let room: string;
beforeAll(async () => {
  room = await mkdtemp(join(tmpdir(), 'layers-'));
  for (const name of ['biome.json', 'biome']) {
    await cp(inRepository(name), join(room, name), { recursive: true });
  }
});
afterAll(() => rm(room, { recursive: true, force: true }));

/** The paths that the linter has an error about. */
async function refused(files: readonly { path: string; line: string }[]): Promise<string[]> {
  for (const { path, line } of files) {
    await mkdir(dirname(join(room, path)), { recursive: true });
    await writeFile(join(room, path), `${line}\n`);
  }
  const biome = inRepository('node_modules/.bin/biome');
  const options = ['--vcs-enabled=false', '--max-diagnostics=none', '--diagnostic-level=error'];
  const { stdout, stderr } = await run(biome, ['lint', ...options, '.'], { cwd: room }).catch(
    (failed: { stdout: string; stderr: string }) => failed,
  );
  const named = `${stdout}${stderr}`.matchAll(/^(src\/\S+\.ts):\d+:\d+ (lint\/style|plugin)/gm);
  return [...new Set([...named].map(([, path = '']) => path))].sort();
}

it('whatever a layer may not import or read is an error, each by itself', async () => {
  const found = await refused(cases);
  expect(cases.filter(({ path }) => !found.includes(path))).toEqual([]);
});

it('what it needs is none, and the environment is read by src/config.ts', async () => {
  const good = [
    { path: 'src/sessions/good.ts', line: imports('./a.ts', 'jose', 'node:crypto').join('\n') },
    { path: 'src/callers/good.ts', line: imports('./a.ts', '../sessions/a.ts').join('\n') },
    { path: 'src/stores/redis/good.ts', line: imports('../limits.ts', 'ioredis').join('\n') },
    { path: 'src/http/good.ts', line: imports('fastify', '../callers/a.ts').join('\n') },
    { path: 'src/config.ts', line: PROCESS_ENV },
  ];
  const found = await refused(good);
  expect(good.filter(({ path }) => found.includes(path))).toEqual([]);
});
