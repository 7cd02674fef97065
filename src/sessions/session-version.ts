// Owns the version of a session as it is shown: it changes with what a reader sees, and with nothing else.

import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { Session } from './session.ts';

const VERSION_BYTES = 12;

/**
 * A strong validator (RFC 9110, 8.8.3) without its quotes. Not the revision, which also changes when the successor of a retry
 * window is first seen: a verify must not spoil a change that somebody is about to make.
 */
export function sessionVersion(session: Session): string {
  const { details, client, generation, refreshedAtMs, expiresAtMs } = session;
  const shown = canonicalJson([details, client ?? null, generation, refreshedAtMs, expiresAtMs]);
  return hash('sha256', shown, 'buffer').subarray(0, VERSION_BYTES).toString('base64url');
}
