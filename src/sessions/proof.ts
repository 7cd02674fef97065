// Owns the values derived from a session's seed, by one HMAC a generation: its halves are the proof in the refresh token and the id of the token.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Session } from './session.ts';

const PROOF_BYTES = 16;

/** What the pair of a generation carries: 16 bytes each, as base64url. */
export interface PairSecrets {
  /** In the refresh token. */
  readonly proof: string;
  /** `jti`, the same in every replay. Says nothing of the proof (ADR 2). */
  readonly tokenId: string;
}

const derive = (seed: Uint8Array, generation: number): Buffer =>
  createHmac('sha256', seed).update(`refresh:${generation}`).digest();

/** Of the current generation. */
export function pairSecrets({ seed, generation }: Session): PairSecrets {
  const derived = derive(seed, generation);
  return {
    proof: derived.toString('base64url', 0, PROOF_BYTES),
    tokenId: derived.toString('base64url', PROOF_BYTES),
  };
}

/** Whether `proof` is the session's own for this generation. Constant time. */
export function provesGeneration(session: Session, generation: number, proof: string): boolean {
  const given = Buffer.from(proof, 'base64url');
  return (
    given.length === PROOF_BYTES &&
    timingSafeEqual(given, derive(session.seed, generation).subarray(0, PROOF_BYTES))
  );
}
