// Owns how problems stand in the contract: their schema, and which of them a route may answer.

import Type from 'typebox';
import { PROBLEM_CODES, PROBLEM_KINDS, PROBLEM_MEDIA_TYPE, type ProblemCode } from './problem.ts';

/** The problem document as a shared schema; routes refer to it. */
export const problemSchema = Type.Object(
  {
    type: Type.String({
      description: 'Address of the heading of this code in docs/errors.md.',
      examples: ['/docs/errors.md#invalid_request'],
    }),
    title: Type.String(),
    status: Type.Integer({ examples: [400] }),
    detail: Type.String(),
    instance: Type.Optional(Type.String({ description: 'This occurrence, as the log names it.' })),
    code: Type.Unsafe<ProblemCode>({ type: 'string', enum: [...PROBLEM_CODES] }),
    reason: Type.Optional(
      Type.Unsafe<string>({
        type: 'string',
        enum: ['invalid', 'ended', 'reused'],
        description: 'Only with `invalid_refresh_token`.',
      }),
    ),
    retryable: Type.Optional(
      Type.Boolean({ description: 'True: the same request may succeed a little later.' }),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({
            description: 'JSON pointer into the body, or below /path, /query or /header.',
            examples: ['/data/userId'],
          }),
          detail: Type.String(),
        }),
        { description: 'Each faulty field.' },
      ),
    ),
  },
  { $id: 'Problem', description: 'RFC 9457 problem document.' },
);

/** Responses of a route for these codes, grouped by status. */
export function problemResponses(...codes: readonly ProblemCode[]): Record<number, unknown> {
  const statuses = new Set(codes.map((code) => PROBLEM_KINDS[code].status));
  return Object.fromEntries(
    [...statuses].map((status) => [
      status,
      {
        description: codes
          .filter((code) => PROBLEM_KINDS[code].status === status)
          .map((code) => `\`${code}\`: ${PROBLEM_KINDS[code].title}.`)
          .join(' '),
        content: { [PROBLEM_MEDIA_TYPE]: { schema: Type.Unsafe({ $ref: 'Problem#' }) } },
      },
    ]),
  );
}

/** What every route behind an API key may answer besides its own errors. */
export const guardedProblems = [
  'unauthenticated',
  'forbidden',
  'not_acceptable',
  'rate_limited',
  'overloaded',
  'store_unavailable',
  'internal',
] as const satisfies readonly ProblemCode[];

/** What every route that takes a body may answer besides. */
export const bodyProblems = [
  'invalid_request',
  'content_too_large',
  'unsupported_media_type',
] as const satisfies readonly ProblemCode[];
