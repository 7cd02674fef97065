// Owns the translation of every error into a problem: refusals and outages of the core, errors of Fastify, and defects.

import type { FastifyError } from 'fastify';
import { type Fault, Outage, Refusal, type RefusalCause } from '../sessions/errors.ts';
import { type ProblemCode, ProblemError } from './problem.ts';

const refreshTokenDetail = {
  invalid: 'This is not a refresh token that this key may use.',
  ended: 'The session has ended; start a new one.',
  reused:
    'The refresh token was replaced before; somebody else may hold it, so the session was ended.',
} as const;

type RefusalTranslation = {
  readonly [Code in RefusalCause['code']]: (
    cause: Extract<RefusalCause, { code: Code }>,
  ) => ProblemError;
};

const faultsBelow = (prefix: string, faults: readonly Fault[]): ProblemError =>
  new ProblemError(
    'invalid_request',
    faults.length === 1
      ? 'One field is not as it must be.'
      : 'Several fields are not as they must be.',
    { errors: faults.map(({ pointer, detail }) => ({ pointer: prefix + pointer, detail })) },
  );

const faultAt = (pointer: string, detail: string): ProblemError =>
  new ProblemError('invalid_request', 'One field is not as it must be.', {
    errors: [{ pointer, detail }],
  });

const refusals: RefusalTranslation = {
  invalid_refresh_token: ({ reason }) =>
    new ProblemError('invalid_refresh_token', refreshTokenDetail[reason], { reason }),
  invalid_token: () => faultAt('/token', 'is not a token that this key may revoke'),
  invalid_cursor: () => faultAt('/query/cursor', 'is not a cursor of this list'),
  session_not_found: () =>
    new ProblemError('session_not_found', 'There is no such session, or it has ended.'),
  user_not_found: () =>
    new ProblemError('user_not_found', 'There is no such user, or it was erased or forgotten.'),
  api_key_not_found: () =>
    new ProblemError('api_key_not_found', 'There is no such key, or yours does not reach as far.'),
  api_key_too_wide: () =>
    new ProblemError('forbidden', 'A key cannot make one that may do more than itself.'),
  api_key_expired_already: () => faultAt('/expiresAt', 'must lie in the future'),
  api_key_limit_reached: () => new ProblemError('api_key_limit_reached', 'Revoke one first.'),
  precondition_failed: () =>
    new ProblemError('precondition_failed', 'Read it again, and change what is there now.'),
  idempotency_key_reused: () =>
    new ProblemError('idempotency_key_reused', 'Use a new key for each session.'),
  idempotency_key_expired: () =>
    new ProblemError(
      'idempotency_key_expired',
      'The session of this key was refreshed or has ended, or its first token has expired.',
    ),
  invalid_details: ({ faults }) => faultsBelow('/data/details', faults),
  session_type_required: () => faultAt('/tag', 'has no session type, and needs one'),
  invalid_session_type: ({ faults }) => faultsBelow('', faults),
  session_type_not_found: () =>
    new ProblemError('session_type_not_found', 'The tag has no type; the defaults apply to it.'),
  session_type_limit_reached: () =>
    new ProblemError('session_type_limit_reached', 'Remove a session type of the product.'),
  session_limit_reached: () =>
    new ProblemError(
      'session_limit_reached',
      'Revoke a session of the user, or wait for one to end.',
    ),
};

const fromFastify: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the body as application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['content_too_large', 'The body is larger than 32 KiB.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as announced.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The path is not valid percent-encoded UTF-8.'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A part of the path is too long.'],
  ECONNRESET: ['invalid_request', 'The connection was closed before the body had arrived.'],
};

/** The problem that answers `error`; `internal` for whatever nobody expected. */
export function errorToProblem(error: FastifyError | Error): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof Refusal) {
    const translate = refusals[error.refused.code] as (cause: RefusalCause) => ProblemError;
    return translate(error.refused);
  }
  if (error instanceof Outage) {
    return new ProblemError(
      'store_unavailable',
      'The request may or may not have taken effect. Send it again.',
    );
  }
  const known = fromFastify['code' in error ? error.code : ''];
  return known
    ? new ProblemError(...known)
    : new ProblemError('internal', 'The error was logged under the id that `instance` names.');
}
