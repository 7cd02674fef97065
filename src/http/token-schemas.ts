// Owns the shapes of tokens, and of the calls that hand them out, take them and judge them: validation, serialization and openapi.yaml are made from these.

import Type from 'typebox';
import { detailsFault } from '../sessions/details-rules.ts';
import { closed, env, product, sessionId, tag, time, userId } from './members.ts';
import { anyDetails, clientFacts, sessionData } from './session-schemas.ts';

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
      data: sessionData,
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
