// Owns the pair of tokens that start and refresh answer with; a replay makes the same pair again.

import { signAccessToken } from './access-token.ts';
import { pairSecrets } from './proof.ts';
import { sealRefreshToken } from './refresh-token.ts';
import type { Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';

export interface TokenPair {
  readonly token: string;
  readonly refreshToken: string;
  readonly session: Session;
}

/** The pair of the session's current generation. */
export async function makeTokenPair(deps: SessionDeps, session: Session): Promise<TokenPair> {
  const { tokenId, proof } = pairSecrets(session);
  const key = await deps.keys.current();
  const [token, refreshToken] = await Promise.all([
    signAccessToken(session, tokenId, key, deps.issuer),
    sealRefreshToken(deps.refreshTokenSealer, session, proof),
  ]);
  return { token, refreshToken, session };
}
