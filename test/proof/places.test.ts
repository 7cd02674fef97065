// Owns the promise that no operation of the contract is left out of the fault runs: each run says what it never called, and does not count then.

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Document, readOperations } from '../../proof/fuzz/contract.ts';
import { EXEMPT, neverCalled } from '../../proof/places.ts';

const operations = readOperations(parse(await readFile('openapi.yaml', 'utf8')) as Document);
const owed = operations.filter(({ id }) => !(id in EXEMPT));

test('only operations of the contract are exempt, and few', () => {
  expect(Object.keys(EXEMPT).filter((id) => !operations.some((each) => each.id === id))).toEqual(
    [],
  );
  expect(owed.length).toBeGreaterThan(20);
});

test('a run that calls nothing has left out every operation', async () => {
  expect(await neverCalled(new Set())).toEqual(owed.map(({ id }) => id));
});

test.each(owed)('a run that calls all but $id has left out that one', async ({ id }) => {
  const others = owed
    .filter((each) => each.id !== id)
    .map(({ method, path }) => `${method} ${path.replace(/\{[^}]+\}/g, 'anything')}`);
  expect(await neverCalled(new Set(others))).toEqual([id]);
});
