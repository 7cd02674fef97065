// Owns the values derived from a session's seed: the proof in a refresh token and the id of a token, one each per generation.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Session } from './session.ts';

const PROOF_BYTES = 16;

const derive = (seed: Uint8Array, label: string, generation: number): Buffer =>
  createHmac('sha256', seed).update(`${label}:${generation}`).digest().subarray(0, PROOF_BYTES);

/** What a refresh token of this generation must carry: 16 bytes as base64url. */
export const refreshProof = (session: Session, generation: number): string =>
  derive(session.seed, 'refresh', generation).toString('base64url');

/** Whether `proof` is the session's own for this generation. Constant time. */
export function provesGeneration(session: Session, generation: number, proof: string): boolean {
  const given = Buffer.from(proof, 'base64url');
  return (
    given.length === PROOF_BYTES &&
    timingSafeEqual(given, derive(session.seed, 'refresh', generation))
  );
}

/** `jti` of the current generation's token: the same in every replay. */
export const tokenId = (session: Session): string =>
  derive(session.seed, 'token', session.generation).toString('base64url');
