// Owns forged access tokens: what an attacker can write, and what the service's own key could have signed for another purpose.

import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign, type CryptoKey, exportJWK, type JWK } from 'jose';
import type { Fixtures } from './fixtures.ts';

type Head = Readonly<Record<string, unknown>>;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (segment: string): Head => JSON.parse(Buffer.from(segment, 'base64url').toString());

const HEADERS: readonly Head[] = [
  ...[{ typ: 'JWT' }, { typ: 'AT+JWT' }, { typ: 'application/at+jwt' }, { typ: undefined }],
  ...[{ typ: null }, { typ: ['at+jwt'] }, { typ: 'at+jwt ' }, { kid: undefined }, { kid: '' }],
  ...[{ kid: 'stranger' }, { kid: '../../dev/null' }, { kid: '__proto__' }, { kid: "' OR 1=1" }],
  ...[{ kid: 1 }, { kid: ['x'] }, { kid: 'x'.repeat(9000) }, { kid: '\0' }, { kid: '{*}' }],
  ...[{ jku: 'https://example.com/jwks.json' }, { x5u: 'http://127.0.0.1:1/cert.pem' }],
  ...[{ x5c: ['AAAA'] }, { crit: ['exp'] }, { crit: [] }, { crit: ['b64'], b64: false }],
  ...[{ crit: ['https://example.com/x'], 'https://example.com/x': true }, { crit: 'b64' }],
  ...[{ alg: 'none' }, { alg: 'None' }, { alg: 'ES384' }, { alg: 'RS256' }, { alg: 'es256' }],
  ...[{ alg: undefined }, { alg: ['ES256'] }, { alg: 'HS256' }, { alg: '' }, { zip: 'DEF' }],
  ...[{ cty: 'JWT' }, { enc: 'A256GCM' }, { epk: {} }, { p2c: 1e9 }],
];

/** Of another service on the same ring, or for somebody else: of the right shape, so that our own key may have signed them. */
const OTHER_CLAIMS: readonly Head[] = [
  ...[{ iss: 'https://example.com' }, { iss: 'http://localhost:3000/' }, { iss: undefined }],
  ...[{ iss: '' }, { aud: ['my-app/prd'] }, { aud: [] }, { aud: 'my-app/prd' }, { aud: '*' }],
  ...[{ aud: ['other/prd', 'other/prd/user-session'] }, { aud: ['my-app/dev', 'my-app/prd/x'] }],
  ...[{ product: 'other' }, { env: 'dev' }, { tag: 'support-chat' }, { product: '{*}' }],
];

/** Of a shape that this service never signs: only a stranger does. */
const ODD_CLAIMS: readonly Head[] = [
  ...[{ sid: undefined }, { sid: 1 }, { sid: '__proto__' }, { sid: {} }, { sid: '../..' }],
  ...[{ product: ['my-app'] }, { sub: undefined }, { exp: undefined }, { exp: 'never' }],
  ...[{ exp: 1e300 }, { exp: null }, { iat: 'x' }, { nbf: 99999999999 }, { aud: undefined }],
];

async function sign(head: Head, claims: Head, key: CryptoKey | KeyObject | Uint8Array) {
  try {
    return await new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader(head as { alg: string })
      .sign(key, { crit: { 'https://example.com/x': true } });
  } catch {
    // What jose does not want to sign is sent with a signature of nothing.
    return `${encode(head)}.${encode(claims)}.${'A'.repeat(86)}`;
  }
}

/** Each is not a token of this service; made once, as signing takes time. */
export async function forgeTokens(fixtures: Fixtures): Promise<string[]> {
  const { pair, signingKey, publicJwk } = fixtures;
  const [h = '', b = '', s = ''] = pair.token.split('.');
  const head = decode(h);
  const claims = decode(b);
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const strangerJwk = await exportJWK(stranger.publicKey);
  const publicKey = createPublicKey({ key: publicJwk as JWK & { kty: string }, format: 'jwk' });
  const confusions = [
    Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
    Buffer.from(publicKey.export({ type: 'spki', format: 'der' })),
    Buffer.from(JSON.stringify(publicJwk)),
    Buffer.from(JSON.stringify({ keys: [publicJwk] })),
    Buffer.from(String(publicJwk.x), 'base64url'),
    Buffer.from(fixtures.rootKey.padEnd(32)),
    Buffer.alloc(32),
  ];
  const none = ['none', 'NONE', 'nOnE', ''].flatMap((alg) =>
    ['', s, 'AAAA'].map((signature) => `${encode({ ...head, alg })}.${b}.${signature}`),
  );
  const respelled = [
    ...[
      `${h}.${b}.`,
      `${h}.${b}`,
      `${h}..${s}`,
      `.${b}.${s}`,
      `${h}.${b}.${s}.`,
      `${h}..${b}.${s}.A`,
    ],
    ...[
      `${h}.${b}.${s}=`,
      `${h}=.${b}.${s}`,
      `${h}.${b}=.${s}`,
      `${h}.${b}.${s}==`,
      `${h}.${b}.${s}A`,
    ],
    ...[
      ` ${h}.${b}.${s}`,
      `${h}.${b}.${s}\n`,
      `${h}.${b}. ${s}`,
      `${h}\n.${b}.${s}`,
      `${h}.${b}.${s}\0`,
    ],
    ...[`${h}.${b}.${'A'.repeat(86)}`, `${h}.${b}.${s.toLowerCase()}`, `Bearer ${pair.token}`],
    ...[`\ufeff${pair.token}`, `${pair.token},${pair.token}`, `"${pair.token}"`, `${b}.${h}.${s}`],
    ...[encode({}), encode(null), encode([]), encode('x'), 'AAAA', ''].map((x) => `${x}.${b}.${s}`),
    ...[encode({}), encode(null), encode([]), 'AAAA', ''].map((x) => `${h}.${x}.${s}`),
    ...[
      '.',
      '..',
      '...',
      '....',
      'a.b.c',
      '0',
      'null',
      '{}',
      '[]',
      'x'.repeat(30_000),
      '.'.repeat(9000),
    ],
    JSON.stringify({ payload: b, protected: h, signature: s }),
    JSON.stringify({ payload: b, signatures: [{ protected: h, signature: s }] }),
    decodeURIComponent(encodeURIComponent(pair.token)).replaceAll('.', '%2e'),
    `${h}.${b}.${Buffer.from(s, 'base64url').toString('base64')}`,
    `${encode({ ...head })}.${encode({ ...claims, product: 'other' })}.${s}`,
  ];
  const signed = await Promise.all([
    ...confusions.flatMap((key) =>
      ['HS256', 'HS512'].map((alg) => sign({ ...head, alg }, claims, key)),
    ),
    ...HEADERS.map((change) => sign({ ...head, ...change }, claims, stranger.privateKey)),
    ...HEADERS.map((change) => sign({ ...head, ...change }, claims, signingKey)),
    sign(head, claims, stranger.privateKey),
    sign({ ...head, jwk: strangerJwk }, claims, stranger.privateKey),
    sign({ ...head, jwk: strangerJwk, kid: undefined }, claims, stranger.privateKey),
    ...OTHER_CLAIMS.map((change) => sign(head, { ...claims, ...change }, signingKey)),
    ...[...OTHER_CLAIMS, ...ODD_CLAIMS].map((change) =>
      sign(head, { ...claims, ...change }, stranger.privateKey),
    ),
  ]);
  return [...none, ...respelled, ...signed].filter((each) => each !== pair.token);
}
