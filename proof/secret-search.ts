// Owns the search for a secret in what was written down: whole, in windows of 16 characters, and re-encoded.

const WINDOW = 16;

/** The text as it might have been written down: as it is, and re-encoded. */
const spellings = (secret: string): readonly string[] => {
  const bytes = Buffer.from(secret);
  return [
    secret,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  ];
};

const windows = (secret: string): readonly string[] =>
  Array.from({ length: Math.max(1, secret.length - WINDOW + 1) }, (_, i) =>
    secret.slice(i, i + WINDOW),
  );

/** Whether the secret stands in the text, in any spelling or by any 16 characters of it. */
export const holdsSecret = (text: string, secret: string): boolean =>
  [...spellings(secret), ...windows(secret)].some((part) => text.includes(part));
