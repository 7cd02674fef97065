// Owns the public keys that let anyone verify a token without asking this service.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { JWK } from 'jose';
import Type from 'typebox';
import type { SigningKeys } from '../../sessions/signing-keys.ts';
import { problemResponses } from '../schemas.ts';

const publicKey = Type.Unsafe<JWK>({
  type: 'object',
  additionalProperties: true,
  description: 'RFC 7517 key: kty, kid, alg, use and the public members.',
  examples: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid: '…', x: '…', y: '…' }],
});

export function wellKnownRoutes({
  keys,
}: {
  readonly keys: SigningKeys;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/.well-known/jwks.json', {
      schema: {
        operationId: 'readKeys',
        summary: 'Keys to verify tokens with',
        tags: ['keys'],
        security: [],
        response: {
          200: Type.Object(
            { keys: Type.Array(publicKey) },
            { description: 'JSON Web Key Set (RFC 7517).' },
          ),
          ...problemResponses('not_acceptable'),
        },
      },
      handler: async (_request, reply) => {
        reply.header('cache-control', `public, max-age=${keys.jwksMaxAgeSeconds()}`);
        return { keys: [...keys.jwks().keys] };
      },
    });
  };
}
