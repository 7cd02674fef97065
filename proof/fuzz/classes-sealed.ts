// Owns attacks on what the service itself has written: tokens, refresh tokens, cursors.

import { type Base, draftOf } from './bases.ts';
import type { Fixtures } from './fixtures.ts';
import { forgeTokens } from './forged-tokens.ts';
import type { FuzzClass } from './fuzz-class.ts';
import { type TextPlace, textPlaces, withText } from './places.ts';
import type { Random } from './random.ts';
import { forgeCursors, forgeRefreshTokens } from './sealed-forms.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The text with one thing in it changed by chance; never the same text. */
function damage(text: string, random: Random): string {
  const at = random.below(text.length);
  const instead = random.pick([...ALPHABET].filter((each) => each !== text[at]));
  return random.pick([
    text.slice(0, at) + instead + text.slice(at + 1),
    text.slice(0, at),
    text.slice(at + 1),
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at) + instead + text.slice(at),
    text.slice(0, at) +
      String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(7)) || 1) +
      text.slice(at + 1),
  ]);
}

/** Damage as it would be done to the bytes that the text encodes: one bit in one segment. */
function flipBit(text: string, random: Random): string {
  const segments = text.split('.');
  const at = random.pick([...segments.keys()].filter((each) => segments[each] !== ''));
  const prefix = /^smr_/.exec(segments[at] ?? '')?.[0] ?? '';
  const bytes = Buffer.from((segments[at] ?? '').slice(prefix.length), 'base64url');
  const byte = random.below(bytes.length);
  bytes[byte] = (bytes[byte] ?? 0) ^ (1 << random.below(8));
  segments[at] = prefix + bytes.toString('base64url');
  return segments.join('.');
}

const placeOf = (base: Base, name: string): TextPlace | undefined =>
  textPlaces(base).find((place) => place.name === name && !place.free);

function sealedClass(
  name: string,
  member: string,
  good: string,
  forged: readonly string[],
): FuzzClass {
  return {
    name,
    mixed: false,
    applies: (base) => placeOf(base, member) !== undefined,
    mutate(base, { random, fixtures }) {
      const bad = random.pick([
        () => random.pick(forged),
        () => random.pick(forged),
        () => damage(good, random),
        () => flipBit(good, random),
      ])();
      const place = placeOf(base, member);
      if (place === undefined || bad === good) throw new Error(`${name} does not apply`);
      return { draft: draftOf(withText(base, place, bad), fixtures.rootKey), expects: 'refusal' };
    },
  };
}

export async function createSealedClasses(fixtures: Fixtures): Promise<FuzzClass[]> {
  const { pair, cursor } = fixtures;
  return [
    sealedClass('JWT attacks', 'token', pair.token, await forgeTokens(fixtures)),
    sealedClass(
      'refresh token forms',
      'refreshToken',
      pair.refreshToken,
      await forgeRefreshTokens(fixtures),
    ),
    sealedClass('forged cursors', 'cursor', cursor, await forgeCursors(fixtures)),
  ];
}
