// Owns the shapes of requests and answers about session types.

import Type from 'typebox';
import type { JsonObject } from '../sessions/session.ts';
import { MAX_CLAIMS } from '../sessions/session-type.ts';
import { closed, env, product, tag } from './members.ts';

const YEAR_SECONDS = 365 * 24 * 3600;
const MAX_SESSIONS_PER_USER = 1_000_000;

const seconds = (minimum: number, maximum: number, example: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, description, examples: [example] }));

const example = {
  name: 'Login',
  tokenTtlSeconds: 600,
  idleTtlSeconds: 1209600,
  detailsSchema: {
    type: 'object',
    properties: {
      username: { type: 'string', maxLength: 64 },
      role: { enum: ['user', 'admin'] },
    },
    required: ['username'],
    additionalProperties: false,
  },
  claims: ['role'],
};

/** What is put is what is given back: no member is added. */
export const sessionType = Type.Object(
  {
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'For people.' })),
    description: Type.Optional(Type.String({ maxLength: 1024, description: 'For people.' })),
    tokenTtlSeconds: seconds(1, YEAR_SECONDS, 600, 'Life of a token.'),
    idleTtlSeconds: seconds(1, YEAR_SECONDS, 1209600, 'Life of a refresh token that is not used.'),
    absoluteTtlSeconds: seconds(
      1,
      10 * YEAR_SECONDS,
      2592000,
      'Life of a session however often it is refreshed. Fixed at its start.',
    ),
    refreshRetrySeconds: seconds(
      0,
      300,
      30,
      'The retry window. Never more than a third of the life of a token.',
    ),
    retryUntilUsed: Type.Optional(
      Type.Boolean({
        description:
          'The retry window stays open until the successor is first seen by refresh or verify.',
      }),
    ),
    tokenTtlJitter: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 0.25,
        description: 'The largest part of a token’s life that is cut off by chance.',
      }),
    ),
    detailsSchema: Type.Optional(
      Type.Unsafe<JsonObject>({
        type: 'object',
        additionalProperties: true,
        description:
          'JSON Schema 2020-12 of `details`, at most 16 KiB. References only within it and never back to themselves, patterns in RE2 syntax, no `format`.',
      }),
    ),
    claims: Type.Optional(
      Type.Unsafe<readonly string[]>({
        type: 'array',
        items: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_.:/-]{0,63}$' },
        maxItems: MAX_CLAIMS,
        description:
          'Names of details that become claims of the token, 1,024 bytes of JSON together.',
      }),
    ),
    maxSessionsPerUser: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_SESSIONS_PER_USER,
        description: 'Live sessions of one user under this tag.',
        examples: [100],
      }),
    ),
    onLimit: Type.Optional(
      Type.Unsafe<'reject' | 'evict_oldest'>({
        type: 'string',
        enum: ['reject', 'evict_oldest'],
        description: 'What becomes of a start beyond `maxSessionsPerUser`.',
      }),
    ),
  },
  { ...closed, examples: [example] },
);

export const typeParams = Type.Object({ product, tag }, closed);
export const productParams = Type.Object({ product }, closed);

/** Documents the headers; they are judged by the state of the type, not by a schema. */
export const conditionHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description: 'Only if the type still has one of these ETags; `*`: if it exists.',
    }),
  ),
  'if-none-match': Type.Optional(
    Type.String({ description: '`*`: only if the type does not exist.' }),
  ),
});

export const etagHeader = {
  ETag: Type.String({ description: 'The version of the type.', examples: ['"8kZc1fP0s9Xq2LwB"'] }),
};

export const typeList = Type.Object({
  types: Type.Array(
    Type.Object({
      tag,
      etag: Type.String({ description: 'As in the header `ETag`.' }),
      type: sessionType,
    }),
  ),
});

export const checkBody = Type.Object(
  {
    type: sessionType,
    env,
    sample: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'Live sessions to look at; 200 if absent.',
      }),
    ),
  },
  closed,
);

const count = (description: string) => Type.Integer({ minimum: 0, description });

export const checkReport = Type.Object({
  sampled: count(
    'Live sessions looked at; fewer than asked for if there are no more, or if time was short.',
  ),
  breaking: count('Those whose details break the type.'),
  faults: Type.Array(
    Type.Object({
      pointer: Type.String({
        description: 'JSON pointer into details; `*` for names that the type does not mention.',
      }),
      detail: Type.String(),
      count: count('Sessions with this fault.'),
    }),
    { description: 'The commonest first, 32 at most.' },
  ),
});
