// Owns the short-lived token: an RFC 9068 style JWT, and the strict reading of one.

import { CompactSign, compactVerify, errors } from 'jose';
import { isCanonicalBase64url } from './base64url.ts';
import { type Locator, type Session, tokenIssuedAtSeconds } from './session.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { SigningKey } from './signing-ring.ts';

const TYPE = 'at+jwt';
/** Longest possible token: all labels twice and more, a 256 character user id, an RSA signature. Anything longer is refused unread. */
const MAX_LENGTH = 8192;
const SEGMENTS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** What a token of this service says. Times in seconds since the epoch. */
export interface AccessClaims extends Locator {
  /** `jti`. */
  readonly tokenId: string;
  readonly userId: string;
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
}

interface Payload {
  readonly iss: string;
  readonly aud: readonly string[];
  readonly sub: string;
  readonly sid: string;
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
  readonly client_id: string;
  readonly product: string;
  readonly env: string;
  readonly tag: string;
}

const audienceOf = ({ product, env, tag }: Omit<Locator, 'sessionId'>): readonly string[] => [
  `${product}/${env}`,
  `${product}/${env}/${tag}`,
];

const decodeJson = (segment: string): unknown =>
  JSON.parse(Buffer.from(segment, 'base64url').toString());

/** Signs the token of the session's current generation; a replay signs the same claims again. */
export function signAccessToken(
  session: Session,
  tokenId: string,
  key: SigningKey,
  issuer: string,
): Promise<string> {
  const payload: Payload = {
    iss: issuer,
    aud: audienceOf(session),
    sub: session.userId,
    sid: session.sessionId,
    jti: tokenId,
    iat: tokenIssuedAtSeconds(session),
    exp: session.tokenExpiresAtSeconds,
    client_id: session.clientId,
    product: session.product,
    env: session.env,
    tag: session.tag,
  };
  // Its own names come last: a projected claim can never take the place of one.
  const stated = session.claims === undefined ? payload : { ...session.claims, ...payload };
  return new CompactSign(Buffer.from(JSON.stringify(stated)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: TYPE })
    .sign(key.privateKey);
}

/** The header, if it has exactly the three members that we write. */
function readHeader(segment: string): { alg: string; kid: string } | undefined {
  let header: unknown;
  try {
    header = decodeJson(segment);
  } catch {
    return undefined;
  }
  if (typeof header !== 'object' || header === null || Object.keys(header).length !== 3) {
    return undefined;
  }
  const { alg, kid, typ } = header as Record<string, unknown>;
  return typ === TYPE && typeof alg === 'string' && typeof kid === 'string'
    ? { alg, kid }
    : undefined;
}

/**
 * Reads a token of this service: canonical spelling, own key, that key's algorithm, type and issuer. Does not judge expiry.
 * Undefined for anything else. Rejects with Outage if the key is unknown and the store cannot be asked for newer ones.
 */
export async function readAccessToken(
  token: string,
  keys: SigningKeys,
  issuer: string,
): Promise<AccessClaims | undefined> {
  if (token.length > MAX_LENGTH || !SEGMENTS.test(token)) return undefined;
  const segments = token.split('.') as [string, string, string];
  // jose reads padded and otherwise respelled tokens as well; we read one spelling.
  const header = segments.every(isCanonicalBase64url) ? readHeader(segments[0]) : undefined;
  if (header === undefined) return undefined;
  const key = await keys.find(header.kid);
  if (key === undefined || key.alg !== header.alg) return undefined;
  try {
    await compactVerify(token, key.publicKey, { algorithms: [key.alg] });
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
  // Signed by our own ring, so the shape is ours; the issuer may still be another service on the same ring.
  const payload = decodeJson(segments[1]) as Payload;
  if (payload.iss !== issuer) return undefined;
  const { product, env, tag, sid, sub, jti, iat, exp } = payload;
  if (!audienceOf({ product, env, tag }).every((audience) => payload.aud.includes(audience))) {
    return undefined;
  }
  return {
    product,
    env,
    tag,
    sessionId: sid,
    userId: sub,
    tokenId: jti,
    issuedAtSeconds: iat,
    expiresAtSeconds: exp,
  };
}
