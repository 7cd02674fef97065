// Owns the values derived from a session's seed: the proof in a refresh token and the id of a token, one each per generation.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Session } from './session.ts';

/** 132 bits. */
const LENGTH = 22;

const derive = (seed: Uint8Array, label: string, generation: number): string =>
  createHmac('sha256', seed).update(`${label}:${generation}`).digest('base64url').slice(0, LENGTH);

/** What a refresh token of this generation must carry: 22 characters of base64url. */
export const refreshProof = (session: Session, generation: number): string =>
  derive(session.seed, 'refresh', generation);

/** Whether `proof` is the session's own for this generation. Constant time. */
export function provesGeneration(session: Session, generation: number, proof: string): boolean {
  const given = Buffer.from(proof);
  return (
    given.length === LENGTH &&
    timingSafeEqual(given, Buffer.from(refreshProof(session, generation)))
  );
}

/** `jti` of the current generation's token: the same in every replay. */
export const tokenId = (session: Session): string =>
  derive(session.seed, 'token', session.generation);
