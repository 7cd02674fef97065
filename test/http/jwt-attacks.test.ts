// Owns the proof that a token we did not sign, in exactly the spelling we wrote, is invalid: all attacks get the same bytes and touch nothing.

import { generateKeyPairSync, KeyObject } from 'node:crypto';
import { CompactSign, type CryptoKey, exportJWK } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { expectProblem, listed, type Pair, post, start, verify } from './api.ts';

let it: TestApp;
let pair: Pair;
let header: { readonly alg: string; readonly kid: string; readonly typ: string };
let claims: Readonly<Record<string, unknown>>;
/** The service's own key, as if a second kind of token were signed with it. */
let ownKey: CryptoKey;
let publicKey: KeyObject;
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const decode = (segment: string) => JSON.parse(Buffer.from(segment, 'base64url').toString());
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

beforeAll(async () => {
  it = await createTestApp();
  pair = await start(it.app);
  const [head, body] = pair.token.split('.') as [string, string];
  header = decode(head);
  claims = decode(body);
  const key = await it.keys.current();
  ownKey = key.privateKey;
  publicKey = KeyObject.from(key.publicKey);
});
afterAll(() => it.app.close());

interface Forgery {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey | KeyObject | Uint8Array;
}

/** A token signed by the service's own key unless said otherwise, differing from a good one by what is given. */
function forge({ header: head, claims: body, key = ownKey }: Forgery): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify({ ...claims, ...body })))
    .setProtectedHeader({ ...header, ...head } as { alg: string })
    .sign(key, { crit: { 'https://example.com/x': true } });
}

const byStranger = (head: Readonly<Record<string, unknown>>) =>
  forge({ header: head, key: stranger.privateKey });
const strangerJwk = () => exportJWK(stranger.publicKey);

const respell = (change: (segments: [string, string, string]) => string) => async () =>
  change(pair.token.split('.') as [string, string, string]);

/** The same last character with another of its unused bits: decodes to the same bytes. */
function malleate(segment: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const same = [...alphabet].find(
    (each) =>
      each !== segment.at(-1) &&
      Buffer.from(segment.slice(0, -1) + each, 'base64url').equals(
        Buffer.from(segment, 'base64url'),
      ),
  );
  return segment.slice(0, -1) + (same ?? '!');
}

const ATTACKS: Readonly<Record<string, () => Promise<string>>> = {
  'alg none, unsigned': async () => `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`,
  'alg none, signed': respell(([, b, s]) => `${encode({ ...header, alg: 'none' })}.${b}.${s}`),
  'alg NONE': async () => `${encode({ ...header, alg: 'NONE' })}.${encode(claims)}.AAAA`,
  'HS256 with the public key as PEM': () =>
    forge({
      header: { alg: 'HS256' },
      key: Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
    }),
  'HS256 with the public key as DER': () =>
    forge({
      header: { alg: 'HS256' },
      key: Buffer.from(publicKey.export({ type: 'spki', format: 'der' })),
    }),
  "a stranger's key under our kid": () => byStranger({}),
  "a stranger's kid": () => byStranger({ kid: 'stranger' }),
  'no kid': () => byStranger({ kid: undefined }),
  'a kid that is a path': () => byStranger({ kid: '../../dev/null' }),
  'a kid that is a member of every object': () => byStranger({ kid: '__proto__' }),
  "a stranger's jwk": async () => byStranger({ jwk: await strangerJwk() }),
  "a stranger's jku": () => byStranger({ jku: 'https://example.com/jwks.json' }),
  "a stranger's x5u": () => byStranger({ x5u: 'https://example.com/cert.pem' }),
  "our signature with a stranger's jku": () => forge({ header: { jku: 'https://example.com' } }),
  'an unknown critical extension': () =>
    forge({ header: { crit: ['https://example.com/x'], 'https://example.com/x': true } }),
  'an unencoded payload (b64)': respell(
    ([, b, s]) => `${encode({ ...header, b64: false, crit: ['b64'] })}.${b}.${s}`,
  ),
  'type JWT': () => forge({ header: { typ: 'JWT' } }),
  'type AT+JWT': () => forge({ header: { typ: 'AT+JWT' } }),
  'type application/at+jwt': () => forge({ header: { typ: 'application/at+jwt' } }),
  'no type': () => forge({ header: { typ: undefined } }),
  'another issuer': () => forge({ claims: { iss: 'https://example.com' } }),
  'an issuer with a slash more': () => forge({ claims: { iss: `${claims['iss']}/` } }),
  'no issuer': () => forge({ claims: { iss: undefined } }),
  'another audience': () => forge({ claims: { aud: ['other/prd', 'other/prd/user-session'] } }),
  'half the audience': () => forge({ claims: { aud: ['my-app/prd'] } }),
  'another product in the claims': () => forge({ claims: { product: 'other' } }),
  'header {}': respell(([, b, s]) => `${encode({})}.${b}.${s}`),
  'header null': respell(([, b, s]) => `${encode(null)}.${b}.${s}`),
  'a header that is no JSON': respell(([, b, s]) => `AAAA.${b}.${s}`),
  'an empty signature': respell(([h, b]) => `${h}.${b}.`),
  'a signature of zeros (CVE-2022-21449)': respell(([h, b]) => `${h}.${b}.${'A'.repeat(86)}`),
  'no signature': respell(([h, b]) => `${h}.${b}`),
  'five segments': respell(([h, b, s]) => `${h}..${b}.${s}.AAAA`),
  'padding on the signature': respell(([h, b, s]) => `${h}.${b}.${s}==`),
  'padding on the header': respell(([h, b, s]) => `${h}=.${b}.${s}`),
  'a space before': respell(([h, b, s]) => ` ${h}.${b}.${s}`),
  'a line end behind': respell(([h, b, s]) => `${h}.${b}.${s}\n`),
  'a space inside': respell(([h, b, s]) => `${h}.${b}. ${s}`),
  'the unused bits of the signature set': respell(([h, b, s]) => `${h}.${b}.${malleate(s)}`),
  'plain base64': respell(
    ([h, b, s]) => `${h}.${b}.${Buffer.from(s, 'base64url').toString('base64')}`,
  ),
  'a NUL behind': respell(([h, b, s]) => `${h}.${b}.${s}\0`),
  'the JSON serialization': respell(([h, b, s]) =>
    JSON.stringify({ protected: h, payload: b, signature: s }),
  ),
  'a refresh token': async () => pair.refreshToken,
  'a word': async () => 'token',
  'dots alone': async () => '..',
  'a very long text': async () => `${'A'.repeat(10_000)}.${'A'.repeat(10_000)}.AAAA`,
};

const INVALID = '{"valid":false,"reason":"invalid"}';

async function expectInvalid(token: string): Promise<void> {
  const verdict = await post(it.app, '/sessions/verify', { token });
  expect(verdict.statusCode).toBe(200);
  expect(verdict.body).toBe(INVALID);
  const revoked = await post(it.app, '/sessions/revoke', { token });
  const { errors } = expectProblem(revoked, 'invalid_request');
  expect(errors).toEqual([{ pointer: '/token', detail: expect.any(String) }]);
}

const world = async () => ({ sessions: await listed(it.app), events: it.events.length });

test.each(Object.entries(ATTACKS))(
  'a token with %s is invalid and ends nothing',
  async (_, attack) => {
    const token = await attack();
    expect(token).not.toBe(pair.token);
    const before = await world();
    await expectInvalid(token);
    expect(await world()).toEqual(before);
  },
);

test('a token with any one bit of its signature changed is invalid', async () => {
  const [h, b, s] = pair.token.split('.') as [string, string, string];
  const signature = Buffer.from(s, 'base64url');
  for (let bit = 0; bit < signature.length * 8; bit++) {
    const changed = Buffer.from(signature);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const answer = await post(it.app, '/sessions/verify', {
      token: `${h}.${b}.${changed.toString('base64url')}`,
    });
    expect(answer.body).toBe(INVALID);
  }
});

test('a token with any one character of its header or payload changed is invalid', async () => {
  const { token } = pair;
  const end = token.lastIndexOf('.');
  for (let at = 0; at < end; at += 3) {
    const changed = `${token.slice(0, at)}${token[at] === 'Q' ? 'R' : 'Q'}${token.slice(at + 1)}`;
    const answer = await post(it.app, '/sessions/verify', { token: changed });
    expect(answer.body).toBe(INVALID);
  }
});

test('a token that our own key signed over the very same claims is the control: it is valid', async () => {
  expect(await verify(it.app, await forge({}))).toMatchObject({ valid: true });
  expect(await verify(it.app, pair.token)).toMatchObject({ valid: true });
});
