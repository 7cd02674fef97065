// Owns what lets anyone verify a token without asking this service: the public keys, and the metadata that say where they are.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { JWK } from 'jose';
import Type from 'typebox';
import type { SigningKeys } from '../../sessions/signing-keys.ts';
import { problemResponses } from '../problem-schema.ts';

const JWKS_PATH = '/.well-known/jwks.json';

/** RFC 8414 names the first; many gateways and frameworks look an issuer up at the second alone. */
const METADATA_PATHS = [
  ['/.well-known/oauth-authorization-server', 'readMetadata'],
  ['/.well-known/openid-configuration', 'readDiscovery'],
] as const;

const publicKey = Type.Unsafe<JWK>({
  type: 'object',
  additionalProperties: true,
  description: 'RFC 7517 key: kty, kid, alg, use and the public members.',
  examples: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid: '…', x: '…', y: '…' }],
});

const metadata = Type.Object(
  {
    issuer: Type.String({
      description: '`iss` of every token.',
      examples: ['https://sessions.example.com'],
    }),
    jwks_uri: Type.String({
      description: 'Where the public keys are.',
      examples: ['https://sessions.example.com/.well-known/jwks.json'],
    }),
    response_types_supported: Type.Array(Type.String(), {
      description: 'Empty: the service has no authorization endpoint.',
    }),
    grant_types_supported: Type.Array(Type.String(), {
      description: 'Empty: the service is no OAuth server.',
    }),
  },
  { description: 'Metadata as in RFC 8414.' },
);

export interface WellKnownDeps {
  readonly keys: SigningKeys;
  readonly issuer: string;
}

export function wellKnownRoutes({ keys, issuer }: WellKnownDeps): FastifyPluginAsyncTypebox {
  const cacheable = () => `public, max-age=${keys.jwksMaxAgeSeconds()}`;
  const schema = { tags: ['keys'], security: [] };
  return async (app) => {
    app.get(JWKS_PATH, {
      schema: {
        ...schema,
        operationId: 'readKeys',
        summary: 'Keys to verify tokens with',
        response: {
          200: Type.Object(
            { keys: Type.Array(publicKey) },
            { description: 'JSON Web Key Set (RFC 7517).' },
          ),
          ...problemResponses('not_acceptable'),
        },
      },
      handler: async (_request, reply) => {
        reply.header('cache-control', cacheable());
        return { keys: [...keys.jwks().keys] };
      },
    });

    for (const [path, operationId] of METADATA_PATHS) {
      app.get(path, {
        schema: {
          ...schema,
          operationId,
          summary: 'Where verifiers that know the issuer find its keys',
          response: { 200: metadata, ...problemResponses('not_acceptable') },
        },
        handler: async (_request, reply) => {
          reply.header('cache-control', cacheable());
          return {
            issuer,
            jwks_uri: issuer.replace(/\/$/, '') + JWKS_PATH,
            response_types_supported: [],
            grant_types_supported: [],
          };
        },
      });
    }
  };
}
