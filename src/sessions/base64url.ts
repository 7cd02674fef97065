// Owns the check that a text is the one spelling of its bytes: base64url has several when the last character carries unused bits.

export const isCanonicalBase64url = (text: string): boolean =>
  Buffer.from(text, 'base64url').toString('base64url') === text;
