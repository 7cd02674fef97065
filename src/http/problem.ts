// Owns the closed list of errors and the one writer of RFC 9457 problem documents. Status numbers of errors appear nowhere else.

import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed a little later; carries Retry-After. */
  readonly retryable?: true;
}

const kinds = {
  invalid_request: { status: 400, title: 'The request is not as the schema says' },
  invalid_refresh_token: { status: 400, title: 'The refresh token cannot be used' },
  unauthenticated: { status: 401, title: 'No valid API key' },
  forbidden: { status: 403, title: 'The API key may not do this here' },
  not_found: { status: 404, title: 'No such route' },
  session_not_found: { status: 404, title: 'No such session' },
  user_not_found: { status: 404, title: 'No such user' },
  api_key_not_found: { status: 404, title: 'No such API key' },
  session_type_not_found: { status: 404, title: 'No such session type' },
  method_not_allowed: { status: 405, title: 'The route does not know this method' },
  not_acceptable: { status: 406, title: 'The answer is JSON' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  session_limit_reached: { status: 409, title: 'The user holds as many sessions as allowed' },
  idempotency_key_expired: { status: 409, title: 'The session of the idempotency key is gone' },
  session_type_limit_reached: {
    status: 409,
    title: 'The product has as many session types as allowed',
  },
  api_key_limit_reached: { status: 409, title: 'There are as many API keys as allowed' },
  precondition_failed: { status: 412, title: 'It is not as the request demands' },
  content_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The address is too long' },
  unsupported_media_type: { status: 415, title: 'The body is not plain application/json' },
  expectation_failed: { status: 417, title: 'The expectation cannot be met' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key came with another body' },
  rate_limited: { status: 429, title: 'Too many requests in this minute' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'An unexpected error' },
  overloaded: { status: 503, title: 'More requests than can be answered', retryable: true },
  store_unavailable: { status: 503, title: 'The store does not answer', retryable: true },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof kinds;
export const PROBLEM_KINDS: Readonly<Record<ProblemCode, ProblemKind>> = kinds;
export const PROBLEM_CODES = Object.keys(kinds) as readonly ProblemCode[];

/** One faulty field. `pointer` is a JSON pointer into the body, or begins with `/path`, `/query` or `/header`. */
export interface FieldFault {
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemExtras {
  readonly errors?: readonly FieldFault[] | undefined;
  readonly reason?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Thrown anywhere in the HTTP layer to answer with a problem. `detail` goes to the client: no value of the request in it. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.name = 'ProblemError';
    this.code = code;
    this.extras = extras;
  }
}

const RETRY_AFTER_SECONDS = '1';
export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The document as text. `instance` names this occurrence, the same id as in the log. */
export function problemDocument(
  code: ProblemCode,
  detail: string,
  instance: string | undefined,
  { errors, reason }: ProblemExtras = {},
): string {
  const { status, title, retryable } = PROBLEM_KINDS[code];
  return JSON.stringify({
    type: `/docs/errors.md#${code}`,
    title,
    status,
    detail,
    instance,
    code,
    reason,
    retryable,
    errors,
  });
}

const problemHeaders = (code: ProblemCode): Record<string, string> => ({
  'content-type': PROBLEM_MEDIA_TYPE,
  'cache-control': 'no-store',
  ...(PROBLEM_KINDS[code].retryable ? { 'retry-after': RETRY_AFTER_SECONDS } : {}),
});

export function sendProblem(
  request: FastifyRequest,
  reply: FastifyReply,
  { code, message, extras }: ProblemError,
): FastifyReply {
  return reply
    .code(PROBLEM_KINDS[code].status)
    .headers({ ...problemHeaders(code), ...extras.headers })
    .send(problemDocument(code, message, `urn:uuid:${request.id}`, extras));
}

/** A whole HTTP/1.1 answer for a connection whose request never became one; closes it. */
export function rawProblem(
  code: ProblemCode,
  detail: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const { status } = PROBLEM_KINDS[code];
  const body = problemDocument(code, detail, undefined);
  const headers = {
    ...problemHeaders(code),
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...more,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}
