// Owns the promise that no token, key, secret or detail is ever written anywhere but where it belongs, whatever happens.

import { expect, it } from 'vitest';
import { holdsSecret } from '../../proof/secret-search.ts';
import { searchForSecrets } from '../../proof/secrets.ts';

const SECRET = 'a-secret/with "odd" characters & 32+ of them';

it.each<[string, string]>([
  ['as it is', `before ${SECRET} after`],
  ['in part', `…${SECRET.slice(9, 26)}…`],
  ['as base64', Buffer.from(SECRET).toString('base64')],
  ['as hex', Buffer.from(SECRET).toString('hex')],
  ['percent-encoded', encodeURIComponent(SECRET)],
  ['in JSON', JSON.stringify({ SECRET })],
])('the search finds a secret %s', (_, text) => {
  expect(holdsSecret(text, SECRET)).toBe(true);
});

it('the search finds nothing where nothing is', () => {
  expect(holdsSecret('a-secret/with less than sixteen in common', SECRET)).toBe(false);
});

it('no secret is written anywhere, whatever happens', async () => {
  const places = await searchForSecrets();
  console.table(places.map((each) => ({ ...each, found: each.found.join(', ') })));
  for (const { place, found, control } of places) {
    expect(found, `found in ${place}`).toEqual([]);
    expect(control, `${place} holds what it must hold`).toBe(true);
  }
});
