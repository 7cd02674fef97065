// Owns the promise of `npm start`: what the compiler builds is a whole service, its documents included.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { until } from '../support/redis-client.ts';

const run = promisify(execFile);
const inRepository = (path: string): string =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url));

const STARTED_MS = 40_000;

let room: string;
let child: ChildProcess;
let output = '';
let url: string;

beforeAll(async () => {
  room = await mkdtemp(join(tmpdir(), 'built-'));
  const [tsc, project] = [
    inRepository('node_modules/.bin/tsc'),
    inRepository('tsconfig.build.json'),
  ];
  await run(tsc, ['-p', project, '--outDir', join(room, 'dist')]);
  // What lies beside dist/ in a checkout and in the image.
  await cp(inRepository('package.json'), join(room, 'package.json'));
  for (const name of ['docs', 'node_modules']) await symlink(inRepository(name), join(room, name));
  const { scripts } = JSON.parse(await readFile(join(room, 'package.json'), 'utf8')) as {
    scripts: { start: string; build: string };
  };
  expect(scripts.build).toBe('tsc -p tsconfig.build.json');
  child = spawn('sh', ['-c', `exec env ${scripts.start}`], {
    cwd: room,
    env: { PATH: process.env['PATH'] ?? '', PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  await until('the command is printed', STARTED_MS, async () => /^curl .*\n/m.test(output));
  url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? '';
});
afterAll(async () => {
  child?.kill('SIGKILL');
  await rm(room, { recursive: true, force: true });
});

it('the printed command starts a session when a shell runs it as it stands', async () => {
  const command = /^curl .*$/m.exec(output)?.[0] ?? '';
  const { stdout: asItStands } = await run('sh', ['-c', command]);
  expect(JSON.parse(asItStands)).toMatchObject({
    token: expect.stringMatching(/^eyJ/),
    refreshToken: expect.stringMatching(/^smr_/),
  });
  // Once more, for the status.
  const { stdout } = await run('sh', ['-c', `${command} -o /dev/null -w '%{http_code}'`]);
  expect(stdout).toBe('201');
});

it('the interactive reference shows its page, and the document behind it is openapi.yaml', async () => {
  const page = await fetch(`${url}/docs`);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('swagger-ui');
  const sheet = await fetch(`${url}/docs/static/swagger-ui.css`);
  expect(sheet.status).toBe(200);
  await sheet.arrayBuffer();
  const document = await fetch(`${url}/openapi.json`);
  expect(await document.json()).toEqual(
    parse(await readFile(inRepository('openapi.yaml'), 'utf8')),
  );
});

it('the page of errors that problems point to is there', async () => {
  const refused = await fetch(`${url}/nowhere`);
  const { type } = (await refused.json()) as { type: string };
  const page = await fetch(new URL(type, url));
  expect([page.status, await page.text()]).toEqual([
    200,
    await readFile(inRepository('docs/errors.md'), 'utf8'),
  ]);
});

it('on SIGTERM it ends with code 0', async () => {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});
