// Owns the ring of signing keys as a value: what it holds, which key signs, what the public sees of it.

import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';

export const SIGNING_ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** Beyond the life of the longest token there is (a year), a key that has a successor is of no use any more. */
const RETIRED_AFTER_MS = 366 * 24 * 3600 * 1000;
/** So many keys at most: however often they are to rotate, the JWKS stays small. */
const MAX_KEYS = 64;

export interface KeySchedule {
  /** How long anyone may keep a copy of the JWKS. */
  readonly jwksMaxAgeSeconds: number;
  /** How long a key signs before the next one does; 0 for as long as its algorithm is wanted. */
  readonly rotationSeconds: number;
}

/** A key that is not the first of its ring signs only after every copy of the JWKS must have been renewed, and a minute more (invariant I13). */
export const publishAheadMs = ({ jwksMaxAgeSeconds }: KeySchedule): number =>
  (jwksMaxAgeSeconds + 60) * 1000;

export interface RingKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly jwk: JWK;
  /** From this moment on, by the store's time, the key may sign. */
  readonly signsFromMs: number;
}

export type Ring = readonly RingKey[];

export interface VerificationKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly publicKey: CryptoKey;
}

export interface SigningKey extends VerificationKey {
  readonly privateKey: CryptoKey;
}

/** A new key. The first key of a ring signs at once, a later one when every verifier can know it. */
export async function generateRingKey(
  alg: SigningAlgorithm,
  ring: Ring,
  nowMs: number,
  schedule: KeySchedule,
): Promise<RingKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return {
    kid: await calculateJwkThumbprint(jwk),
    alg,
    jwk,
    signsFromMs: ring.length === 0 ? nowMs : nowMs + publishAheadMs(schedule),
  };
}

const has = (ring: Ring, { kid }: RingKey): boolean => ring.some((key) => key.kid === kid);

/**
 * The ring of a store that has lost keys of ours, with ours put back. A key that somebody else made meanwhile, and that took itself for the
 * first, waits until every copy of the JWKS can know it: ours are what verifiers have.
 */
export function withLostKeys(stored: Ring, own: Ring, nowMs: number, schedule: KeySchedule): Ring {
  const lost = own.filter((key) => !has(stored, key));
  if (lost.length === 0) return stored;
  const earliestMs = nowMs + publishAheadMs(schedule);
  const waiting = stored.map((key) =>
    has(own, key) ? key : { ...key, signsFromMs: Math.max(key.signsFromMs, earliestMs) },
  );
  return [...waiting, ...lost];
}

export const haveSameKeys = (ring: Ring, other: Ring): boolean =>
  ring.length === other.length && ring.every((key) => has(other, key));

/** Whether a key has to be made: there is none of the algorithm, or the newest will have signed for its time when another can take over. */
export function needsKey(
  ring: Ring,
  alg: SigningAlgorithm,
  nowMs: number,
  schedule: KeySchedule,
): boolean {
  const own = ring.filter((key) => key.alg === alg);
  if (own.length === 0) return true;
  if (schedule.rotationSeconds === 0 || ring.length >= MAX_KEYS) return false;
  const newestMs = Math.max(...own.map(({ signsFromMs }) => signsFromMs));
  return nowMs >= newestMs + schedule.rotationSeconds * 1000 - publishAheadMs(schedule);
}

/** The ring without the keys of which no token can be good any more. */
export const withoutRetired = (ring: Ring, nowMs: number): Ring =>
  ring.filter(
    (key) =>
      !ring.some(
        (next) =>
          next.alg === key.alg &&
          next.signsFromMs > key.signsFromMs &&
          nowMs >= next.signsFromMs + RETIRED_AFTER_MS,
      ),
  );

/**
 * The key that signs at `nowMs`: the newest of the wanted algorithm that may already sign, else the newest that may. If none
 * may, because the store's clock was set back, the oldest does. Undefined for an empty ring only.
 */
export function chooseSigningKey(
  ring: Ring,
  alg: SigningAlgorithm,
  nowMs: number,
): RingKey | undefined {
  const newestFirst = [...ring].sort((a, b) => b.signsFromMs - a.signsFromMs);
  const allowed = newestFirst.filter((key) => key.signsFromMs <= nowMs);
  return allowed.find((key) => key.alg === alg) ?? allowed[0] ?? newestFirst.at(-1);
}

/** The key as the world may see it: named members only, so that nothing private can slip through. */
export function publicJwk({ kid, alg, jwk }: RingKey): JWK {
  const { kty, crv, x, y, n, e } = jwk;
  const known = { kty, crv, x, y, n, e, kid, alg, use: 'sig' };
  return Object.fromEntries(
    Object.entries(known).filter(([, value]) => value !== undefined),
  ) as unknown as JWK;
}

/** CryptoKeys are made once: importing at every use costs more than the signature. */
export async function importRingKey(key: RingKey): Promise<SigningKey> {
  // Only a symmetric key would become bytes; its public part has no members left and does not import.
  const [privateKey, publicKey] = (await Promise.all([
    importJWK(key.jwk, key.alg),
    importJWK(publicJwk(key), key.alg),
  ])) as [CryptoKey, CryptoKey];
  return { kid: key.kid, alg: key.alg, privateKey, publicKey };
}
