// Owns the list of what happens to sessions; the log and the metrics are fed from it.

import type { Place } from './session.ts';

export type SessionEventName =
  | 'session_started'
  | 'session_refreshed'
  | 'session_refresh_replayed'
  | 'session_refresh_reused'
  | 'session_rotation_recovered'
  | 'session_revoked'
  | 'session_evicted'
  | 'session_details_changed'
  | 'user_erased'
  | 'user_sessions_revoked'
  | 'session_claims_dropped'
  | 'session_type_changed'
  | 'session_type_removed'
  | 'api_key_created'
  | 'api_key_rotated'
  | 'api_key_revoked'
  | 'signing_key_added';

/** Carries names only: never a token, a user id or details. */
export interface SessionEvent extends Partial<Place> {
  readonly name: SessionEventName;
  readonly tag?: string | undefined;
  readonly sessionId?: string;
  readonly count?: number;
  readonly kid?: string;
  readonly keyId?: string;
}

export type EmitEvent = (event: SessionEvent) => void;
