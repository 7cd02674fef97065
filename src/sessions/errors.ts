// Owns the two expected kinds of failure: a refusal (the caller's matter) and an outage (the store's). Anything else is a defect.

export type RefusalReason = 'invalid' | 'ended' | 'reused';

/** What is wrong with details; `pointer` is a JSON pointer into them. */
export interface DetailsFault {
  readonly pointer: string;
  readonly detail: string;
}

export type RefusalCause =
  | { readonly code: 'invalid_refresh_token'; readonly reason: RefusalReason }
  | { readonly code: 'invalid_token' }
  | { readonly code: 'invalid_cursor' }
  | { readonly code: 'session_not_found' }
  | { readonly code: 'user_not_found' }
  | { readonly code: 'precondition_failed' }
  | { readonly code: 'invalid_details'; readonly faults: readonly DetailsFault[] }
  | { readonly code: 'idempotency_key_reused' }
  | { readonly code: 'idempotency_key_expired' }
  | { readonly code: 'session_limit_reached' };

/** The request is understood and cannot be granted; nothing is wrong with the service. */
export class Refusal extends Error {
  readonly refused: RefusalCause;

  constructor(refused: RefusalCause) {
    super(refused.code);
    this.name = 'Refusal';
    this.refused = refused;
  }
}

/**
 * The store could not answer in time, or refused to. What was asked may still have happened: an outage means "unknown", never "no".
 * `what` is written to the log, so it must never carry an argument of a command.
 */
export class Outage extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'Outage';
  }
}
