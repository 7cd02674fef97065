// Owns what is written down while a proof runs: every operation with its start, its end and what came of it.

/**
 * `change`: of details; `list`: of the user's sessions, refused if this one is not in it; `user`: reading the user, who outlives the
 * session; `numbers`: of all of them, which say nothing of one.
 */
export type OperationKind =
  | 'start'
  | 'refresh'
  | 'verify'
  | 'read'
  | 'change'
  | 'list'
  | 'user'
  | 'numbers'
  | 'revoke';

/** `unknown`: no answer, a broken connection or 503. It may have been carried out, then or later. */
export type Result = 'ok' | 'refused' | 'unknown';

/** What a pair of tokens says of itself. `jti` names its generation: a replay has the same. Times in seconds since the epoch. */
export interface PairFacts {
  readonly jti: string;
  readonly iat: number;
  readonly exp: number;
}

export interface Operation {
  readonly kind: OperationKind;
  /** The life that it belongs to: one session of one user. */
  readonly life: number;
  /** Which of the two service processes was asked. */
  readonly instance: number;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly result: Result;
  /** Its sender left without an answer. */
  readonly givenUp?: true | undefined;
  /** Of a refusal: `ended`, `expired`, `invalid`, `reused`, or the problem's code. */
  readonly reason?: string | undefined;
  /** The `jti` of the pair that was presented. */
  readonly presented?: string | undefined;
  /** The pair that was returned. */
  readonly returned?: PairFacts | undefined;
  readonly replayed?: boolean | undefined;
  /** The token was presented in another spelling than it was given in; it need not be taken for good. */
  readonly respelled?: boolean | undefined;
  /** What no answer may ever be, in words: the wrong form, somebody else's session, a token that the JWKS does not verify. */
  readonly wrong?: { readonly invariant: 'I10' | 'I12' | 'I13'; readonly what: string } | undefined;
}

export interface History {
  readonly operations: readonly Operation[];
  /** How long the proof itself was kept from sending at the first moment, or from seeing what came before the last, at most. Milliseconds. */
  readonly lateMs: (fromMs: number, untilMs: number) => number;
  /** When the fault was over and the store answered the proof itself again. */
  readonly usableMs: number;
  readonly retryWindowMs: number;
  readonly absoluteTtlMs: number;
  /** Whether the store keeps what it acknowledged, as the durability mode promises. */
  readonly remembers: boolean;
  /** Instances that answered at all after the fault, as they should. */
  readonly instances: readonly number[];
}
