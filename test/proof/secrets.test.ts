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
  ['as base64 inside a longer text', Buffer.from(`{"a":"${SECRET}"}`).toString('base64')],
  ['as base64 one further', Buffer.from(` {"a":"${SECRET}"}`).toString('base64url')],
  ['as base64 two further', Buffer.from(`  {"a":"${SECRET}"}`).toString('base64')],
])('the search finds a secret %s', (_, text) => {
  expect(holdsSecret(text, SECRET)).toBe(true);
});

const SEED = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 200) % 256));
it.each<[string, string]>([
  ['as hex', SEED.toString('hex')],
  ['as base64', SEED.toString('base64')],
  [
    'as base64url among other bytes',
    Buffer.concat([Buffer.alloc(5), SEED, Buffer.alloc(3)]).toString('base64url'),
  ],
  ['as a Buffer in JSON', JSON.stringify({ seed: SEED })],
  ['as a Uint8Array in JSON', JSON.stringify({ seed: Uint8Array.from(SEED) })],
  ['as it is', `x${SEED.toString('latin1')}y`],
])('the search finds secret bytes %s', (_, text) => {
  expect(holdsSecret(text, SEED)).toBe(true);
  expect(holdsSecret(text, Buffer.alloc(32, 7))).toBe(false);
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
