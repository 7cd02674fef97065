// Owns the generated files: openapi.yaml from the route schemas, docs/configuration.md from the settings schema. `--check` only compares.

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { configurationPage } from './configuration-page.ts';
import { openapiDocument } from './openapi-document.ts';

const inRepository = (path: string): string =>
  fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Each generated file and its content as it should be. */
async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    [inRepository('openapi.yaml'), await openapiDocument()],
    [inRepository('docs/configuration.md'), configurationPage()],
  ]);
}

const check = process.argv.includes('--check');
for (const [path, wanted] of await generatedFiles()) {
  const found = await readFile(path, 'utf8').catch(() => '');
  if (found === wanted) continue;
  if (check) {
    process.stderr.write(`${path} is not in step: run npm run generate\n`);
    process.exitCode = 1;
  } else {
    await writeFile(path, wanted);
    process.stdout.write(`wrote ${path}\n`);
  }
}
