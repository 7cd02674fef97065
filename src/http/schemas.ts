// Owns the shapes of requests and answers: validation, serialization and openapi.yaml are made from these.

import Type from 'typebox';
import { detailsFault } from '../sessions/details-rules.ts';
import type { JsonObject } from '../sessions/session.ts';
import { LABEL_PATTERN, USER_ID_PATTERN } from '../sessions/session.ts';
import { PROBLEM_CODES, PROBLEM_KINDS, PROBLEM_MEDIA_TYPE, type ProblemCode } from './problem.ts';

const label = (description: string, example: string) =>
  Type.String({ pattern: LABEL_PATTERN, description, examples: [example] });

const time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-11-23T12:00:00.000Z'] });

export const product = label("The product's identifier.", 'my-app');
export const env = label('The environment.', 'prd');
export const tag = label('The kind of session.', 'user-session');
const userId = Type.String({
  pattern: USER_ID_PATTERN,
  description: 'A stable identifier of the user, kept as it is.',
  examples: ['user_123'],
});
const sessionId = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: 'Id of a session.',
  examples: ['5f1pq8v3k2c0aXb0m1Q2w3E4r5T6y7U8i9O'],
});
const anyDetails = Type.Unsafe<JsonObject>({
  type: 'object',
  additionalProperties: true,
  description: 'A JSON object of any shape.',
  examples: [{ username: 'johndoe', email: 'john@example.com' }],
});
const token = Type.String({
  minLength: 1,
  description: 'The short-lived token: a signed JWT.',
  examples: ['eyJhbGciOiJFUzI1NiJ9…'],
});
const refreshToken = Type.String({
  minLength: 1,
  description: 'The long-lived, opaque refresh token.',
  examples: ['smr_eyJhbGciOiJkaXIifQ…'],
});

const closed = { additionalProperties: false } as const;

const clientFacts = Type.Object(
  {
    ip: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 45,
        description: 'Address of the user.',
        examples: ['203.0.113.7'],
      }),
    ),
    userAgent: Type.Optional(
      Type.String({ minLength: 1, maxLength: 512, examples: ['Mozilla/5.0'] }),
    ),
    device: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'What the user would call it.',
        examples: ["Jane's phone"],
      }),
    ),
  },
  { ...closed, description: "What is known of the user's device; kept, shown, never logged." },
);

const startExamples = [
  {
    product: 'my-app',
    env: 'prd',
    tag: 'user-session',
    data: { userId: 'user_123', details: { username: 'johndoe', email: 'john@example.com' } },
  },
  {
    product: 'dashboard',
    env: 'prd',
    tag: 'user-session',
    data: {
      userId: 'user_789',
      details: { username: 'jsmith', role: 'admin', plan: 'enterprise' },
    },
  },
  {
    product: 'marketplace',
    env: 'prd',
    tag: 'checkout-flow',
    data: { userId: 'user_123', details: { cartId: 'cart_456' } },
  },
  {
    product: 'marketplace',
    env: 'prd',
    tag: 'support-chat',
    data: { userId: 'user_123', details: { ticketId: 'ticket_789' } },
  },
];

/** `detailsMaxBytes`: the configured limit on the size of details as JSON. */
export const startBody = (detailsMaxBytes: number) =>
  Type.Object(
    {
      product,
      env,
      tag,
      data: Type.Object(
        {
          userId,
          details: Type.Optional(
            Type.Refine(
              anyDetails,
              (details) => detailsFault(details, detailsMaxBytes) === undefined,
              (details) => detailsFault(details, detailsMaxBytes) ?? '',
            ),
          ),
        },
        closed,
      ),
      client: Type.Optional(clientFacts),
    },
    { ...closed, examples: startExamples },
  );

export const startHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[!-~]{1,255}$',
      description:
        'A name for this start, drawn at random: sent again with the same body it gives the same session again.',
      examples: ['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
    }),
  ),
});

export const refreshBody = Type.Object(
  { refreshToken, client: Type.Optional(clientFacts) },
  closed,
);

/** A JSON Merge Patch of the session as it is shown: only its details can be changed. */
export const sessionPatch = Type.Object(
  { data: Type.Object({ details: anyDetails }, closed) },
  { ...closed, examples: [{ data: { details: { plan: 'enterprise', email: null } } }] },
);

export const ifMatchHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description: 'The `ETag` of what is to be changed.',
      examples: ['"q83vEjRWeJ"'],
    }),
  ),
});

export const verifyBody = Type.Object(
  {
    token,
    product: Type.Optional(product),
    env: Type.Optional(env),
    tag: Type.Optional(tag),
  },
  closed,
);

/** Exactly one of both. */
export const revokeBody = Type.Object(
  { token: Type.Optional(token), refreshToken: Type.Optional(refreshToken) },
  { ...closed, minProperties: 1, maxProperties: 1 },
);

export const placeParams = Type.Object({ product, env, tag }, closed);
export const sessionParams = Type.Object({ product, env, tag, sessionId }, closed);
export const userParams = Type.Object({ product, env, userId }, closed);

/** Of every call that has no query of its own. */
export const noQuery = Type.Object({}, closed);

const paging = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'Entries on a page.' }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, description: '`nextCursor` of the page before.' }),
  ),
};

export const listQuery = Type.Object({ userId: Type.Optional(userId), ...paging }, closed);
export const usersQuery = Type.Object({ tag: Type.Optional(tag), ...paging }, closed);
export const statsQuery = Type.Object({ tag: Type.Optional(tag) }, closed);
export const partParams = Type.Object({ product, env }, closed);

export const revokeUserQuery = Type.Object(
  {
    tag: Type.Optional(tag),
    except: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,64}$',
        description: 'Id of a session to leave alive: "log out my other devices".',
      }),
    ),
  },
  closed,
);

export const tokenPair = Type.Object({
  token,
  refreshToken,
  sessionId,
  expiresAt: time('When the token expires.'),
  refreshExpiresAt: time('When the refresh token expires if it is not used.'),
});

export const startedPair = Type.Object({
  ...tokenPair.properties,
  evicted: Type.Optional(
    Type.Array(sessionId, {
      description: 'Only if there are any: sessions of the user that were ended to make room.',
    }),
  ),
});

const data = Type.Object({ userId, details: anyDetails });

export const verdict = Type.Object({
  valid: Type.Boolean({ description: 'Whether the token is good now.' }),
  reason: Type.Optional(
    Type.Unsafe<'invalid' | 'expired' | 'ended'>({
      type: 'string',
      enum: ['invalid', 'expired', 'ended'],
      description:
        'Only if not valid. `expired`: past its own expiry; `ended`: its session is gone; `invalid`: anything else.',
    }),
  ),
  sessionId: Type.Optional(sessionId),
  product: Type.Optional(product),
  env: Type.Optional(env),
  tag: Type.Optional(tag),
  data: Type.Optional(data),
  issuedAt: Type.Optional(time('When the token was issued.')),
  expiresAt: Type.Optional(time('When the token expires.')),
});

export const sessionView = Type.Object({
  sessionId,
  product,
  env,
  tag,
  data,
  createdAt: time('When the session was started.'),
  refreshedAt: time('When it was last refreshed; when it was started if it never was.'),
  lastSeenAt: time('When its user was last seen with it: at its start or a refresh.'),
  refreshCount: Type.Integer({ minimum: 0, description: 'How often it was refreshed.' }),
  expiresAt: time('When it ends if it is not refreshed.'),
  absoluteExpiresAt: time('When it ends however often it is refreshed.'),
  client: Type.Optional(clientFacts),
});

const nextCursor = Type.Optional(
  Type.String({ description: 'Present if there may be more: the `cursor` of the next page.' }),
);

export const sessionList = Type.Object({ sessions: Type.Array(sessionView), nextCursor });

const userSummary = {
  userId,
  firstSeenAt: time('Its first start.'),
  lastSeenAt: time('Its last start or refresh.'),
  activeSessions: Type.Integer({ minimum: 0, description: 'Live sessions.' }),
};

export const userList = Type.Object({
  users: Type.Array(Type.Object(userSummary)),
  nextCursor,
});

export const userView = Type.Object({
  ...userSummary,
  totalSessions: Type.Integer({
    minimum: 0,
    description: 'Sessions started, ended ones included.',
  }),
  sessions: Type.Array(sessionView, { description: 'Its live sessions, newest first.' }),
  nextCursor,
});

const number = (description: string) => Type.Integer({ minimum: 0, description });

export const statsView = Type.Object({
  totalUsers: number('Users that are kept: active, inactive and expired ones.'),
  activeUsers: number('Users with a live session.'),
  inactiveUsers: number('Users without one whose last session was ended: revoked or evicted.'),
  expiredUsers: number('Users without one whose last session ran out.'),
  newUsersToday: number('Kept users first seen since 00:00 UTC.'),
  newUsersThisWeek: number('Kept users first seen since Monday, 00:00 UTC.'),
  totalSessions: number('Sessions that the kept users have started.'),
  activeSessions: number('Live sessions.'),
  averageSessionsPerUser: Type.Number({
    minimum: 0,
    description: '`totalSessions` divided by `totalUsers`; 0 without users.',
  }),
});

export const revokedCount = Type.Object({
  revoked: Type.Integer({ minimum: 0, description: 'How many sessions were ended.' }),
});

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
            description: 'JSON pointer into the body, or below /path or /query.',
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
