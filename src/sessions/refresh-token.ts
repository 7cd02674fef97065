// Owns the refresh token: sealed, self-locating, carrying a proof instead of a stored secret (design, section 3; ADR 2).

import type { Sealer } from './sealing.ts';
import type { Locator, Session } from './session.ts';

const PREFIX = 'smr_';
/** Longest possible token: four labels, a generation and a proof, sealed. Anything longer is refused unread. */
const MAX_LENGTH = 768;

export interface PresentedRefreshToken {
  readonly locator: Locator;
  readonly generation: number;
  readonly proof: string;
}

/** Seals the refresh token of the session's current generation. */
export const sealRefreshToken = async (
  sealer: Sealer,
  session: Session,
  proof: string,
): Promise<string> =>
  PREFIX +
  (await sealer.seal(
    JSON.stringify([
      session.product,
      session.env,
      session.tag,
      session.sessionId,
      session.generation,
      proof,
    ]),
  ));

/** What the token says of itself, or undefined if this service did not seal it. Its proof is still to be checked against the session. */
export async function openRefreshToken(
  sealer: Sealer,
  token: string,
): Promise<PresentedRefreshToken | undefined> {
  if (!token.startsWith(PREFIX) || token.length > MAX_LENGTH) return undefined;
  const opened = await sealer.open(token.slice(PREFIX.length));
  if (opened === undefined) return undefined;
  // Sealed by us under a key of this purpose alone, so the shape is ours.
  const [product, env, tag, sessionId, generation, proof] = JSON.parse(opened.text) as [
    string,
    string,
    string,
    string,
    number,
    string,
  ];
  return { locator: { product, env, tag, sessionId }, generation, proof };
}
