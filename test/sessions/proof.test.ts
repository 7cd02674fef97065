// Owns the promise that an upgrade logs nobody out: what is derived from a seed stays what it was when the token was handed out.

import { expect, it } from 'vitest';
import { pairSecrets, provesGeneration } from '../../src/sessions/proof.ts';
import { sampleSession } from '../support/sessions.ts';

const session = sampleSession({
  seed: Buffer.from(Array.from({ length: 32 }, (_, i) => i)),
  generation: 3,
});

it('the proof of a refresh token and the id of a token are the same in every release of the program', () => {
  expect(pairSecrets(session)).toEqual({
    proof: 'FnUTLwYWyVqJjWqveCnsEQ',
    tokenId: 'QKRrGzDQm6hv07PST220Jw',
  });
  expect(provesGeneration(session, 3, 'FnUTLwYWyVqJjWqveCnsEQ')).toBe(true);
});

it.each(['', 'FnUTLwYWyVqJjWqveCns', 'QKRrGzDQm6hv07PST220Jw', 'FnUTLwYWyVqJjWqveCnsEQEQ'])(
  'what is not the proof proves nothing: "%s"',
  (proof) => {
    expect(provesGeneration(session, 3, proof)).toBe(false);
    expect(provesGeneration(session, 2, pairSecrets(session).proof)).toBe(false);
  },
);
