// Owns the form of session ids: bucket, rising time, randomness, so that an id alone finds its slot and the ids of one user sort by age.

import { hash } from 'node:crypto';
import type { RandomBytes } from './ambient.ts';
import type { UserRef } from './session.ts';

export const BUCKET_COUNT = 256;

const TICKS_PER_MS = 1024;
const TICK_DIGITS = 11;
const RANDOM_BYTES = 16;
const SESSION_ID = /^([0-9a-f]{2})[0-9a-v]{11}[A-Za-z0-9_-]{22}$/;

/** The last digest: one operation asks for the same one several times. */
let known: (UserRef & { readonly digest: string }) | undefined;

/** SHA-256 over product, env and userId, a byte a character. None of the labels can hold a NUL, so the parts cannot run into each other. */
export function userDigest({ product, env, userId }: UserRef): string {
  if (known?.userId !== userId || known.product !== product || known.env !== env) {
    // As text and not as a Buffer, which costs 2 µs more.
    const digest = hash('sha256', `${product}\0${env}\0${userId}`, 'binary');
    known = { product, env, userId, digest };
  }
  return known.digest;
}

/** The two hex characters that name bucket 0 to 255. */
export const bucketName = (bucket: number): string => bucket.toString(16).padStart(2, '0');

/** The bucket that all sessions of a user share: the first byte of the user's digest. */
export const bucketOf = (user: UserRef): string => bucketName(userDigest(user).charCodeAt(0));

/** The bucket that an id names, or undefined if the text has not the form of a session id. */
export const parseSessionId = (sessionId: string): { readonly bucket: string } | undefined => {
  const bucket = SESSION_ID.exec(sessionId)?.[1];
  return bucket === undefined ? undefined : { bucket };
};

/**
 * Returns a maker of session ids: 2 hex characters of bucket, 11 of time (base 32, 1/1024 ms, rising even if
 * `nowMs` stands still or goes back), 22 of randomness (128 bits, base64url).
 */
export function createSessionIds(
  randomBytes: RandomBytes,
): (user: UserRef, nowMs: number) => string {
  let lastTick = 0;
  return (user, nowMs) => {
    lastTick = Math.max(lastTick + 1, Math.floor(nowMs) * TICKS_PER_MS);
    const time = lastTick.toString(32).padStart(TICK_DIGITS, '0');
    return `${bucketOf(user)}${time}${randomBytes(RANDOM_BYTES).toString('base64url')}`;
  };
}
