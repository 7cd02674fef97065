// Owns what a session is: its record, its names and when it is alive.

/** Labels of the hierarchy: product, env and tag. */
export const LABEL_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';

/** 1 to 256 code points, no control characters, no lone surrogates, not `.` or `..` (which a URL would swallow). Needs the `u` flag. */
export const USER_ID_PATTERN = '^(?!\\.{1,2}$)[^\\p{Cc}\\p{Cs}]{1,256}$';

export type JsonObject = { readonly [name: string]: unknown };

/** The product and the environment a call acts in. */
export interface Place {
  readonly product: string;
  readonly env: string;
}

/** Names one session; with it alone its slot in the store is found. */
export interface Locator extends Place {
  readonly tag: string;
  readonly sessionId: string;
}

/** One user of one product and environment. */
export interface UserRef extends Place {
  readonly userId: string;
}

/** What the backend says of the user's device; kept with the session, never logged. */
export interface ClientFacts {
  readonly ip?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly device?: string | undefined;
}

export interface Session extends Locator, UserRef {
  readonly details: JsonObject;
  /** Id of the API key that started the session; the `client_id` of its tokens. */
  readonly clientId: string;
  /** 32 random bytes under which the proofs and token ids of this session are derived; never leaves the store. */
  readonly seed: Uint8Array;
  /** 12 random bytes, new at every write: the handle of compare-and-swap. */
  readonly revision: Uint8Array;
  readonly createdAtMs: number;
  /** The moment of the last rotation; of the start while there was none. */
  readonly refreshedAtMs: number;
  /** The session is gone from this moment on (idle limit, never past the absolute one). */
  readonly expiresAtMs: number;
  readonly absoluteExpiresAtMs: number;
  /** How often the session was rotated. */
  readonly generation: number;
  /** `exp` of this generation's token: what a replay repeats. */
  readonly tokenExpiresAtSeconds: number;
  /** Members of `details` in this generation's token: what a replay repeats. Absent if there are none. */
  readonly claims?: JsonObject | undefined;
  /** Whether this generation's token was presented to verify. Kept only where the retry window stays open until then. */
  readonly successorSeen?: boolean | undefined;
  /** Set once a replay of this generation was given new times. */
  readonly renewed?: true | undefined;
  /** The revocation epoch the session was started in. Reserved: always 0 today. */
  readonly epoch: number;
  /** As the start or the last refresh that told it said. */
  readonly client?: ClientFacts | undefined;
}

export const SEED_BYTES = 32;
export const REVISION_BYTES = 12;

/** A session lives up to, and not at, the moment it expires. */
export const isLive = (session: Session, nowMs: number): boolean => nowMs < session.expiresAtMs;

/** `iat` of the current generation's token, in seconds since the epoch. */
export const tokenIssuedAtSeconds = (session: Session): number =>
  Math.floor(session.refreshedAtMs / 1000);
