// Owns sealing: short texts that only holders of SECRET can make or read, as compact JWE by jose, under keys derived per purpose and slot.

import { hkdfSync, webcrypto } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, errors } from 'jose';
import type { RandomBytes } from './ambient.ts';
import { isCanonicalBase64url } from './base64url.ts';

/** 256 keys a purpose, drawn by chance, so that none seals more than a fraction of all texts (AES-GCM with random nonces, NIST SP 800-38D 8.3). */
const SLOT_COUNT = 256;
/** All of them random (SP 800-38D 8.2.2). */
const NONCE_BYTES = 12;
const COMPACT_JWE =
  /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{22})$/;

export type SealPurpose = 'refresh-token' | 'signing-ring' | 'list-cursor';

export interface Sealer {
  seal(text: string): Promise<string>;
  /** The text, and whether the secret that sealed it is the one that seals now; undefined if none of our secrets did, or the spelling is not canonical. */
  open(sealed: string): Promise<{ readonly text: string; readonly current: boolean } | undefined>;
}

type SealingKey = webcrypto.CryptoKey;

interface SlotKey {
  readonly header: { readonly alg: 'dir'; readonly enc: 'A256GCM'; readonly kid: string };
  readonly current: boolean;
  /** Derived at first use: 256 keys for each secret and purpose would cost a noticeable start. */
  readonly key: () => SealingKey | Promise<SealingKey>;
}

const derive = (secret: string, info: string, size: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, 'session-mint', info, size));

function slotKeys(secret: string, purpose: SealPurpose, current: boolean): SlotKey[] {
  const secretId = derive(secret, 'id', 6).toString('base64url');
  return Array.from({ length: SLOT_COUNT }, (_, slot) => {
    let imported: SealingKey | Promise<SealingKey> | undefined;
    return {
      header: { alg: 'dir', enc: 'A256GCM', kid: `${secretId}.${slot}` },
      current,
      key: () => {
        imported ??= webcrypto.subtle
          .importKey('raw', derive(secret, `${purpose}:${slot}`, 32), 'AES-GCM', false, [
            'encrypt',
            'decrypt',
          ])
          .then((key) => {
            imported = key;
            return key;
          });
        return imported;
      },
    };
  });
}

/** `secrets`: the first seals, all open. Each purpose has keys of its own: what was sealed for one never opens as another. */
export function createSealer(
  secrets: readonly string[],
  purpose: SealPurpose,
  randomBytes: RandomBytes,
): Sealer {
  const slots = secrets.flatMap((secret, age) => slotKeys(secret, purpose, age === 0));
  const sealing = slots.slice(0, SLOT_COUNT);
  const byHeader = new Map(
    slots.map((slot) => [Buffer.from(JSON.stringify(slot.header)).toString('base64url'), slot]),
  );
  return {
    async seal(text) {
      const slot = sealing[randomBytes(1).readUInt8()];
      if (slot === undefined) throw new TypeError('sealing needs at least one secret');
      // jose would start a job of Node for each nonce, 12 µs. These bytes come of the same generator, and none is handed out twice (ADR 20).
      return new CompactEncrypt(Buffer.from(text))
        .setProtectedHeader(slot.header)
        .setInitializationVector(randomBytes(NONCE_BYTES))
        .encrypt(await slot.key());
    },
    async open(sealed) {
      const [, header = '', ...segments] = COMPACT_JWE.exec(sealed) ?? [];
      const slot = byHeader.get(header);
      if (slot === undefined || !segments.every(isCanonicalBase64url)) return undefined;
      try {
        const { plaintext } = await compactDecrypt(sealed, await slot.key(), {
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
        });
        return { text: Buffer.from(plaintext).toString(), current: slot.current };
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
