// Owns the two expected kinds of failure: a refusal (the caller's matter) and an outage (the store's). Anything else is a defect.

export type RefusalReason = 'invalid' | 'ended' | 'reused';

/** One thing that is wrong with a value: a JSON pointer into it and why, without any value of the sender. */
export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

export type RefusalCause =
  | { readonly code: 'invalid_refresh_token'; readonly reason: RefusalReason }
  | { readonly code: 'invalid_token' }
  | { readonly code: 'invalid_cursor' }
  | { readonly code: 'session_not_found' }
  | { readonly code: 'user_not_found' }
  | { readonly code: 'api_key_not_found' }
  | { readonly code: 'api_key_too_wide' }
  | { readonly code: 'api_key_expired_already' }
  | { readonly code: 'api_key_limit_reached' }
  | { readonly code: 'idempotency_key_reused' }
  | { readonly code: 'idempotency_key_expired' }
  | { readonly code: 'session_limit_reached' }
  /** Pointers into the details. */
  | { readonly code: 'invalid_details'; readonly faults: readonly Fault[] }
  /** The tag has no type, and the service asks for one. */
  | { readonly code: 'session_type_required' }
  /** Pointers into the type. */
  | { readonly code: 'invalid_session_type'; readonly faults: readonly Fault[] }
  | { readonly code: 'session_type_not_found' }
  | { readonly code: 'session_type_limit_reached' }
  /** What is to be changed is not in the state that the caller demands. */
  | { readonly code: 'precondition_failed' };

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
