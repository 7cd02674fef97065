// Owns the promises about the interactive reference: it is there when asked for, and speaks of errors like every other address.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { type Answer, call, expectProblem, type Method } from './api.ts';

let service: TestApp;
beforeAll(async () => {
  service = await createTestApp({ docs: true });
});
afterAll(() => service.app.close());

const ask = (method: Method, url: string): Promise<Answer> =>
  call(service.app, method, url, { key: null });

it('the page that problems point to is served as it is in the repository', async () => {
  const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const answer = await ask('GET', '/docs/errors.md');
  expect([answer.statusCode, answer.body]).toEqual([200, page]);
});

it('the reference bears the name of the product', async () => {
  expect((await ask('GET', '/docs')).body).toContain('<title>Session Mint</title>');
});

it.each([
  ['POST', '/openapi.json'],
  ['DELETE', '/docs'],
  ['PUT', '/docs/'],
  ['PATCH', '/docs/errors.md'],
  ['OPTIONS', '/docs/json'],
  ['POST', '/docs/static/swagger-ui.css'],
] as const)('%s %s is 405 with Allow', async (method, url) => {
  const answer = await ask(method, url);
  expectProblem(answer, 'method_not_allowed');
  expect(answer.headers['allow']).toBe('GET, HEAD');
  for (const known of ['GET', 'HEAD'] as const) {
    expect((await ask(known, url)).statusCode, known).toBe(200);
  }
});

it('what is not there is 404, whatever the method', async () => {
  for (const method of ['GET', 'POST'] as const) {
    expectProblem(await ask(method, '/docs/nothing'), 'not_found');
  }
});
