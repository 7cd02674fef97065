// Owns the text of an API key: `smk_<id>_<secret><checksum>`, recognisable to secret scanners, refused for a typo before anyone is asked.

import { hash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { RandomBytes } from '../sessions/ambient.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 12;
/** 190 bits. */
const SECRET_LENGTH = 32;
/** 62^6 is more than 2^32. */
const CHECKSUM_LENGTH = 6;
const FORM = new RegExp(
  `^(smk_([0-9A-Za-z]{${ID_LENGTH}})_([0-9A-Za-z]{${SECRET_LENGTH}}))([0-9A-Za-z]{${CHECKSUM_LENGTH}})$`,
);

export interface ApiKeyText {
  readonly id: string;
  readonly secret: string;
}

/** Letters and digits, each as likely as any other: bytes that do not divide evenly are drawn again. */
function randomText(length: number, randomBytes: RandomBytes): string {
  const evenly = 256 - (256 % ALPHABET.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < evenly && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

function checksum(text: string): string {
  let left = crc32(text);
  let digits = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = ALPHABET[left % ALPHABET.length] + digits;
    left = Math.floor(left / ALPHABET.length);
  }
  return digits;
}

export const newKeyId = (randomBytes: RandomBytes): string => randomText(ID_LENGTH, randomBytes);
export const newSecret = (randomBytes: RandomBytes): string =>
  randomText(SECRET_LENGTH, randomBytes);

export function formatApiKey({ id, secret }: ApiKeyText): string {
  const text = `smk_${id}_${secret}`;
  return text + checksum(text);
}

/** Undefined for anything that is not a whole key without a typo. */
export function parseApiKey(apiKey: string): ApiKeyText | undefined {
  const [, text = '', id = '', secret = '', sum] = FORM.exec(apiKey) ?? [];
  return sum !== undefined && checksum(text) === sum ? { id, secret } : undefined;
}

/** What is kept of a secret. It has 190 random bits, so one round of SHA-256 is enough. */
export const hashSecret = (secret: string): string => hash('sha256', secret, 'base64url');

/** Constant time. */
export const isSecretOf = (secret: string, kept: string): boolean => {
  const [given, expected] = [Buffer.from(hashSecret(secret)), Buffer.from(kept)];
  return given.length === expected.length && timingSafeEqual(given, expected);
};
