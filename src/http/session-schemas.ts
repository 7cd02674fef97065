// Owns the shapes of sessions as they are shown, asked for and changed: validation, serialization and openapi.yaml are made from these.

import Type from 'typebox';
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

export const anyDetails = Type.Unsafe<JsonObject>({
  type: 'object',
  additionalProperties: true,
  description: 'A JSON object of any shape.',
  examples: [{ username: 'johndoe', email: 'john@example.com' }],
});

export const clientFacts = Type.Object(
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

export const placeParams = Type.Object({ product, env, tag }, closed);
export const sessionParams = Type.Object({ product, env, tag, sessionId }, closed);
export const listQuery = Type.Object({ userId: Type.Optional(userId), ...paging }, closed);

export const sessionData = Type.Object({ userId, details: anyDetails });

export const sessionView = Type.Object({
  sessionId,
  product,
  env,
  tag,
  data: sessionData,
  createdAt: time('When the session was started.'),
  refreshedAt: time('When it was last refreshed; when it was started if it never was.'),
  lastSeenAt: time('When its user was last seen with it: at its start or a refresh.'),
  refreshCount: Type.Integer({ minimum: 0, description: 'How often it was refreshed.' }),
  expiresAt: time('When it ends if it is not refreshed.'),
  absoluteExpiresAt: time('When it ends however often it is refreshed.'),
  client: Type.Optional(clientFacts),
});

export const sessionList = Type.Object({ sessions: Type.Array(sessionView), nextCursor });
