// Owns the search for a secret in what was written down: whole, in windows of 16 characters, and re-encoded, also inside a longer text.

const WINDOW = 16;

/** Base64 of the bytes wherever they begin in what was encoded: without the characters that they share with their neighbours. */
const base64Inside = (bytes: Buffer, encoding: 'base64' | 'base64url'): readonly string[] =>
  [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString(encoding);
    const last = Math.floor(((before + bytes.length) * 8) / 6);
    return encoded.slice(Math.ceil((before * 8) / 6), last);
  });

/** The bytes as they might have been written down. */
const spellingsOfBytes = (bytes: Buffer): readonly string[] => [
  ...base64Inside(bytes, 'base64'),
  ...base64Inside(bytes, 'base64url'),
  bytes.toString('hex'),
  bytes.toString('hex').toUpperCase(),
  [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  // A Buffer and a Uint8Array as JSON has them.
  [...bytes].join(','),
  [...bytes].map((byte, i) => `"${i}":${byte}`).join(','),
];

const spellingsOfText = (secret: string): readonly string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
  ...spellingsOfBytes(Buffer.from(secret)),
];

const windows = (secret: string): readonly string[] =>
  Array.from({ length: Math.max(1, secret.length - WINDOW + 1) }, (_, i) =>
    secret.slice(i, i + WINDOW),
  );

/** A text, or bytes that are no text. */
export type Secret = string | Buffer;

/** Whether the secret stands in the text: in any spelling, or by any 16 characters of it. */
export const holdsSecret = (text: string, secret: Secret): boolean =>
  (typeof secret === 'string'
    ? [...spellingsOfText(secret), ...windows(secret)]
    : [...spellingsOfBytes(secret), secret.toString('latin1')]
  ).some((part) => text.includes(part));
