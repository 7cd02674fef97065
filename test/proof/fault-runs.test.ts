// Owns the short form of `npm run prove`: the fault runs that differ most, each once.

import { expect, test } from 'vitest';
import { allHeld, complaints, prove, table } from '../../proof/prove.ts';

test.for([
  'sessions end by time',
  'service killed',
  'Redis killed (-9)',
  'Redis frozen',
  'replies swallowed',
  'one instance cut off',
  'Redis full',
  'restored from an older copy',
  'Cluster: primary killed',
])('every promise is kept: %s', async (only, { skip }) => {
  const proven = await prove({ runs: 1, rate: 120, holdMs: 2500, seed: 1, only: [only], most: 1 });
  const notRun = proven.find((each) => each.notRun !== undefined)?.notRun;
  skip(notRun !== undefined, notRun);
  console.table(table(proven));
  expect(complaints(proven)).toEqual([]);
  expect(allHeld(proven)).toBe(true);
});
