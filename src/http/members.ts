// Owns the members that requests and answers share: labels, ids, moments, pages.

import Type from 'typebox';
import { LABEL_PATTERN, USER_ID_PATTERN } from '../sessions/session.ts';

/** Unknown members are refused. */
export const closed = { additionalProperties: false } as const;

const label = (description: string, example: string) =>
  Type.String({ pattern: LABEL_PATTERN, description, examples: [example] });

export const time = (description: string) =>
  Type.String({ format: 'date-time', description, examples: ['2026-11-23T12:00:00.000Z'] });

export const product = label("The product's identifier.", 'my-app');
export const env = label('The environment.', 'prd');
export const tag = label('The kind of session.', 'user-session');
export const userId = Type.String({
  pattern: USER_ID_PATTERN,
  description: 'A stable identifier of the user, kept as it is.',
  examples: ['user_123'],
});
export const sessionId = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: 'Id of a session.',
  examples: ['5f1pq8v3k2c0aXb0m1Q2w3E4r5T6y7U8i9O'],
});
/** Entries on a page if nothing is asked for. */
export const DEFAULT_PAGE = 20;

export const paging = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 100,
      default: DEFAULT_PAGE,
      description: 'Entries on a page.',
    }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, description: '`nextCursor` of the page before.' }),
  ),
};

export const nextCursor = Type.Optional(
  Type.String({ description: 'Present if there may be more: the `cursor` of the next page.' }),
);

/** Of every call that has no query of its own. */
export const noQuery = Type.Object({}, closed);
