// Owns what is the embedded store's own about claims: how many it holds.

import { expect, it } from 'vitest';
import { createMemoryClaims } from '../../src/stores/memory-claims.ts';

it('those that have expired make room, also behind one that lives longer', async () => {
  let nowMs = 0;
  const claims = createMemoryClaims(() => nowMs, 3);
  await claims.claim('long', 'a', 10_000);
  await claims.claim('short', 'b', 1_000);
  await claims.claim('other', 'c', 1_000);
  await expect(claims.claim('one more', 'd', 1_000)).rejects.toThrow('full');
  nowMs = 1_000;
  expect(await claims.claim('one more', 'd', 1_000)).toEqual({ text: 'd', mine: true });
  expect(await claims.readClaim('long')).toBe('a');
});
