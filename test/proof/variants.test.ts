// Owns the proof of the proofs: each deliberately broken variant of the service turns one of them red.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, type TestContext, test } from 'vitest';
import { type Variant, variants } from './broken-variants.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const COPIED = [
  'src',
  'test',
  'proof',
  'docs',
  'openapi.yaml',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];

async function breakCopy({ changes }: Variant): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'broken-'));
  for (const each of COPIED)
    await cp(join(REPOSITORY, each), join(copy, each), { recursive: true });
  await symlink(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
  for (const { file, find, put } of changes) {
    const parts = (await readFile(join(copy, file), 'utf8')).split(find);
    expect(parts, `${file} has once: ${find}`).toHaveLength(2);
    await writeFile(join(copy, file), parts.join(put));
  }
  return copy;
}

/** Of a test file only the test that is to turn red. */
const command = ({ proof, says, holdMs = 1500 }: Variant): string[] =>
  'scenario' in proof
    ? [
        '--import',
        import.meta.resolve('tsx'),
        'proof/prove.ts',
        '--only',
        proof.scenario,
        '--most',
        '1',
        '--rate',
        '150',
        '--seed',
        '1',
        '--hold',
        String(holdMs),
      ]
    : [join(REPOSITORY, 'node_modules/vitest/vitest.mjs'), 'run', proof.test, '-t', says];

/** Whatever a proof that was given up has left running would disturb all others. */
function stopGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone, as it should be.
  }
}

async function runProof(
  variant: Variant,
  cwd: string,
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, command(variant), {
    cwd,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: what it has started goes with it.
    detached: true,
  });
  onTestFinished(() => stopGroup(child));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

/** How a red proof names what it found: a fault run the broken invariant, a test file the test that failed. */
const complaint = ({ proof, says }: Variant): RegExp =>
  new RegExp('scenario' in proof ? `^.*: ${says} ` : `FAIL.*${says}`, 'm');

test.for<Variant['proof']>([
  { scenario: 'no fault' },
  { test: 'test/sessions/operations.test.ts' },
])('an unbroken copy turns nothing red: %o', async (proof, context) => {
  const unbroken = { name: 'unbroken', changes: [], proof, says: '' };
  const copy = await breakCopy(unbroken);
  try {
    const { code, output } = await runProof(unbroken, copy, context);
    expect(code, output).toBe(0);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
});

const caught: { variant: string; 'turned red': string; said: string }[] = [];
afterAll(() => console.table(caught));

async function expectCaught(variant: Variant, context: Pick<TestContext, 'onTestFinished'>) {
  const copy = await breakCopy(variant);
  try {
    const { code, output } = await runProof(variant, copy, context);
    const { name, proof, says } = variant;
    expect(code, output).not.toBe(0);
    expect(output).toMatch(complaint(variant));
    const red = 'scenario' in proof ? `fault run: ${proof.scenario}` : proof.test;
    caught.push({ variant: name, 'turned red': red, said: says });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

const judgedByRun = ({ proof }: Variant): boolean => 'scenario' in proof;
test.for(variants.filter(judgedByRun))('is caught: $name', expectCaught);
// Test files two at a time, as in the suite itself; a fault run needs the machine for itself.
test.concurrent.for(variants.filter((each) => !judgedByRun(each)))(
  'is caught: $name',
  expectCaught,
);
