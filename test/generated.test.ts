// Owns the promise that generated files are in step with the code.

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { configurationPage } from '../scripts/configuration-page.ts';
import { openapiDocument } from '../scripts/openapi-document.ts';
import { PROBLEM_CODES } from '../src/http/problem.ts';

const read = (path: string) => readFile(new URL(`../${path}`, import.meta.url), 'utf8');

it('openapi.yaml says what the routes do', async () => {
  expect(await read('openapi.yaml')).toBe(await openapiDocument());
});

it('docs/configuration.md lists the settings as they are', async () => {
  expect(await read('docs/configuration.md')).toBe(configurationPage());
});

it('docs/errors.md has a heading for each code, and no other', async () => {
  const headings = [...(await read('docs/errors.md')).matchAll(/^## `?([a-z_]+)`?$/gm)];
  expect(headings.map(([, code]) => code).sort()).toEqual([...PROBLEM_CODES].sort());
});

it('every operation has an id of its own, a summary and an example of its body', async () => {
  const { paths } = parse(await read('openapi.yaml')) as {
    paths: Record<
      string,
      Record<string, { operationId?: string; summary?: string; requestBody?: unknown }>
    >;
  };
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(operations.length);
  for (const { summary, requestBody } of operations) {
    expect(summary).toBeTruthy();
    if (requestBody) expect(JSON.stringify(requestBody)).toContain('"examples"');
  }
});
