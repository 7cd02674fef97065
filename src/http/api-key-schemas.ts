// Owns the shapes of API keys in requests and answers.

import Type from 'typebox';
import { isAddressRange } from '../callers/address-range.ts';
import { PERMISSIONS, type Permission } from '../callers/caller.ts';
import { closed, env, product, tag, time } from './members.ts';
import { parseMoment } from './moment.ts';

const YEAR_SECONDS = 365 * 24 * 3600;

const permission = Type.Unsafe<Permission>({ type: 'string', enum: [...PERMISSIONS] });

const members = {
  name: Type.String({
    pattern: '^[^\\p{Cc}\\p{Cs}]{1,128}$',
    description: 'For people.',
    examples: ['checkout backend'],
  }),
  permissions: Type.Array(permission, {
    minItems: 1,
    maxItems: PERMISSIONS.length,
    description: 'What it may do.',
    examples: [['issue', 'refresh']],
  }),
  product: Type.Optional(product),
  env: Type.Optional(env),
  tags: Type.Optional(
    Type.Array(tag, {
      minItems: 1,
      maxItems: 64,
      description: 'The tags it may act under; absent: all.',
      examples: [['checkout-flow']],
    }),
  ),
  expiresAt: Type.Optional(
    Type.Refine(
      time('From when on it is refused.'),
      (text) => parseMoment(text) !== undefined,
      () => 'must be a moment as RFC 3339 writes it, such as 2026-11-23T12:00:00Z',
    ),
  ),
  allowedCidrs: Type.Optional(
    Type.Array(
      Type.Refine(
        Type.String({ examples: ['10.0.0.0/8'] }),
        (text) => isAddressRange(text),
        () => 'must be an IP address or a CIDR range',
      ),
      { minItems: 1, maxItems: 64, description: 'Where it may be used from; absent: everywhere.' },
    ),
  ),
  requestsPerMinute: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'How often; absent: no limit.' }),
  ),
};

export const newApiKey = Type.Object(members, {
  ...closed,
  examples: [
    {
      name: 'checkout backend',
      permissions: ['issue', 'refresh'],
      product: 'marketplace',
      env: 'prd',
    },
  ],
});

const keyId = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: 'Id of a key.',
  examples: ['9hX2kPq0ZbLm'],
});

export const apiKeyParams = Type.Object({ id: keyId }, closed);

export const rotation = Type.Object(
  {
    overlapSeconds: Type.Integer({
      minimum: 0,
      maximum: YEAR_SECONDS,
      description: 'How long the key before stays good.',
      examples: [3600],
    }),
  },
  closed,
);

const key = Type.String({
  description: 'The key itself, shown this once.',
  examples: ['smk_9hX2kPq0ZbLm_…'],
});

const view = {
  id: keyId,
  ...members,
  expiresAt: Type.Optional(time('From when on it is refused.')),
  allowedCidrs: Type.Optional(Type.Array(Type.String())),
  createdAt: time('When it was made.'),
  previousValidUntil: Type.Optional(
    time('Until when the secret before the last rotation is good, or was; absent: it ended there.'),
  ),
};

export const apiKeyView = Type.Object({
  ...view,
  lastUsedAt: Type.Optional(time('When it was last used, to about a minute.')),
});
export const issuedApiKey = Type.Object({ key, ...view });
export const apiKeyList = Type.Object({ apiKeys: Type.Array(apiKeyView) });
