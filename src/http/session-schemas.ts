// Owns the shapes of sessions and their tokens: validation, serialization and openapi.yaml are made from these.

import Type from 'typebox';
import { detailsFault } from '../sessions/details-rules.ts';
import type { JsonObject } from '../sessions/session.ts';
import {
  closed,
  env,
  nextCursor,
  paging,
  product,
  sessionId,
  tag,
  time,
  userId,
} from './members.ts';

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
      pattern: '^(?!""$)[!-~]{1,255}$',
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
export const listQuery = Type.Object({ userId: Type.Optional(userId), ...paging }, closed);
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

/** Tells the two verdicts apart. */
const valid = <const T extends boolean>(value: T) =>
  Type.Unsafe<T>({ type: 'boolean', enum: [value] });

export const verdict = Type.Union([
  Type.Object(
    {
      valid: valid(true),
      sessionId,
      product,
      env,
      tag,
      data,
      issuedAt: time('When the token was issued.'),
      expiresAt: time('When the token expires.'),
    },
    { description: 'The token is good now.' },
  ),
  Type.Object(
    {
      valid: valid(false),
      reason: Type.Unsafe<'invalid' | 'expired' | 'ended'>({
        type: 'string',
        enum: ['invalid', 'expired', 'ended'],
        description:
          '`expired`: past its own expiry; `ended`: its session is gone; `invalid`: anything else.',
      }),
    },
    { description: 'It is not.' },
  ),
]);

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

export const sessionList = Type.Object({ sessions: Type.Array(sessionView), nextCursor });
