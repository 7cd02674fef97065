// Owns forged refresh tokens and cursors: truncated, of another version, with a wrong proof, of another session or list.

import { CompactEncrypt } from 'jose';
import type { Fixtures } from './fixtures.ts';

const OTHER_SECRET = 'not-the-secret-of-the-tests-0123456789';

const jwe = (head: Readonly<Record<string, unknown>>, parts: readonly string[]): string =>
  [Buffer.from(JSON.stringify(head)).toString('base64url'), ...parts].join('.');

/** Spellings and headers that turn a compact JWE into one that nobody sealed. */
function respell(sealed: string): string[] {
  const [head = '', , iv = '', text = '', tag = ''] = sealed.split('.');
  const known = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
  const rest = ['', iv, text, tag];
  return [
    ...[
      `${sealed}=`,
      `${sealed}A`,
      ` ${sealed}`,
      `${sealed}\n`,
      `${sealed}.`,
      sealed.toLowerCase(),
    ],
    ...[
      `${head}.A.${iv}.${text}.${tag}`,
      `${head}..${text}.${iv}.${tag}`,
      `${head}..${iv}..${tag}`,
    ],
    ...[
      `${head}..${iv}.${text}.`,
      `..${iv}.${text}.${tag}`,
      `${head}..${iv}.${text}`,
      head,
      '....',
    ],
    jwe({ ...known, enc: 'A128GCM' }, rest),
    jwe({ ...known, enc: 'A128CBC-HS256' }, rest),
    jwe({ ...known, alg: 'none' }, rest),
    jwe({ ...known, alg: 'A256KW' }, rest),
    jwe({ ...known, alg: 'PBES2-HS256+A128KW', p2c: 1e9, p2s: 'AAAA' }, rest),
    jwe({ ...known, zip: 'DEF' }, rest),
    jwe({ ...known, kid: '__proto__' }, rest),
    jwe({ ...known, kid: `${known.kid}0` }, rest),
    jwe(
      { ...known, kid: known.kid.replace(/\d+$/, (slot) => String((Number(slot) + 1) % 256)) },
      rest,
    ),
    jwe({ kid: known.kid, enc: 'A256GCM', alg: 'dir' }, rest),
  ];
}

/** A JWE of our form under a key that is not ours, with our `kid`. */
async function strangerSeal(like: string, text: string): Promise<string> {
  const head = JSON.parse(Buffer.from(like.split('.')[0] ?? '', 'base64url').toString());
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader(head)
    .encrypt(Buffer.alloc(32, 7));
}

export async function forgeRefreshTokens(fixtures: Fixtures): Promise<string[]> {
  const { pair, another, cursor } = fixtures;
  const sealer = fixtures.sealer('refresh-token');
  const sealed = pair.refreshToken.slice(4);
  const open = async (token: string) =>
    JSON.parse((await sealer.open(token.slice(4)))?.text ?? '[]') as [
      string,
      string,
      string,
      string,
      number,
      string,
    ];
  const [product, env, tag, sessionId, generation, proof] = await open(pair.refreshToken);
  const [, , otherTag, otherId, , otherProof] = await open(another.refreshToken);
  const flipped = Buffer.from(Buffer.from(proof, 'base64url').map((byte) => byte ^ 1)).toString(
    'base64url',
  );
  // What only the holder of SECRET could seal, but without the seed of the session. All name a session that lives: a revoke
  // of one that is gone is accepted, as there is nothing left to do.
  const texts = [
    [product, env, tag, sessionId, generation, flipped],
    [product, env, tag, sessionId, generation, otherProof],
    [product, env, tag, sessionId, generation, ''],
    [product, env, tag, sessionId, generation, `${proof}A`],
    [product, env, tag, sessionId, generation, 'A'.repeat(22)],
    [product, env, tag, sessionId, generation + 1, proof],
    [product, env, tag, sessionId, generation - 1, proof],
    [product, env, tag, sessionId, 2 ** 53, proof],
    [product, env, otherTag, otherId, generation, proof],
  ].map((fields) => JSON.stringify(fields));
  const ownSealed = await Promise.all(texts.map((text) => sealer.seal(text)));
  const good = JSON.stringify([product, env, tag, sessionId, generation, proof]);
  const otherSealed = await Promise.all([
    fixtures.sealer('refresh-token', OTHER_SECRET).seal(good),
    fixtures.sealer('list-cursor').seal(good),
    strangerSeal(sealed, good),
  ]);
  const forms = [...ownSealed, ...otherSealed, ...respell(sealed), cursor].map(
    (each) => `smr_${each}`,
  );
  return [
    ...forms,
    ...['smr2_', 'SMR_', 'smr', 'smr__', 'sms_', ' smr_', '', 'Bearer smr_'].map((x) => x + sealed),
    ...['smr_', 'smr_.', pair.token, `smr_${pair.token}`, `smr_${'A'.repeat(900)}`, pair.sessionId],
  ];
}

export async function forgeCursors(fixtures: Fixtures): Promise<string[]> {
  const { cursor, foreignCursor, pair } = fixtures;
  const sealer = fixtures.sealer('list-cursor');
  const text = (await sealer.open(cursor))?.text ?? '[]';
  const sealed = await Promise.all([
    fixtures.sealer('list-cursor', OTHER_SECRET).seal(text),
    fixtures.sealer('refresh-token').seal(text),
    strangerSeal(cursor, text),
  ]);
  return [
    ...sealed,
    ...respell(cursor),
    ...[foreignCursor, pair.refreshToken, pair.refreshToken.slice(4), pair.token, '0', 'null', '*'],
    ...[
      pair.sessionId,
      Buffer.from(text).toString('base64url'),
      'A'.repeat(3000),
      '-1',
      '__proto__',
    ],
  ];
}
