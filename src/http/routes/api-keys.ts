// Owns the routes of API keys.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { ApiKeyRecord } from '../../callers/api-key-record.ts';
import type { ApiKeys, ListedKey } from '../../callers/api-keys.ts';
import {
  apiKeyList,
  apiKeyParams,
  apiKeyView,
  issuedApiKey,
  newApiKey,
  rotation,
} from '../api-key-schemas.ts';
import { parseMoment, rfc3339 } from '../moment.ts';
import { bodyProblems, guardedProblems, problemResponses } from '../problem-schema.ts';

const tags = ['api keys'];
const config = { permission: 'admin' } as const;

const keyBody = (record: ApiKeyRecord) => {
  const { id, name, permissions, scope, expiresAtMs, allowedCidrs, requestsPerMinute } = record;
  const { product, env, tags: under } = scope;
  const until = record.previous?.[0]?.untilMs;
  return {
    id,
    name,
    permissions: [...permissions],
    ...(product === undefined ? {} : { product }),
    ...(env === undefined ? {} : { env }),
    ...(under === undefined ? {} : { tags: [...under] }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: rfc3339(expiresAtMs) }),
    ...(allowedCidrs === undefined ? {} : { allowedCidrs: [...allowedCidrs] }),
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
    createdAt: rfc3339(record.createdAtMs),
    ...(until === undefined ? {} : { previousValidUntil: rfc3339(until) }),
  };
};

const listedBody = ({ record, lastUsedAtMs }: ListedKey) => ({
  ...keyBody(record),
  ...(lastUsedAtMs === undefined ? {} : { lastUsedAt: rfc3339(lastUsedAtMs) }),
});

export function apiKeyRoutes({
  apiKeys,
}: {
  readonly apiKeys: ApiKeys;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/api-keys', {
      config,
      schema: {
        operationId: 'createApiKey',
        summary: 'Make an API key',
        description:
          'The key is in this answer and nowhere else. It cannot do more than the key that makes it.',
        tags,
        body: newApiKey,
        response: {
          201: {
            ...issuedApiKey,
            description: 'The key.',
            headers: { Location: Type.String({ description: 'Address of the key.' }) },
          },
          ...problemResponses(...bodyProblems, 'api_key_limit_reached', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        const { product, env, tags: under, expiresAt, ...rest } = request.body;
        const scope = {
          ...(product === undefined ? {} : { product }),
          ...(env === undefined ? {} : { env }),
          ...(under === undefined ? {} : { tags: under }),
        };
        const expiresAtMs = expiresAt === undefined ? undefined : parseMoment(expiresAt);
        const { record, key } = await apiKeys.create(request.caller, {
          ...rest,
          scope,
          expiresAtMs,
        });
        reply.code(201);
        reply.header('location', `/api-keys/${record.id}`);
        return { key, ...keyBody(record) };
      },
    });

    app.get('/api-keys', {
      config,
      schema: {
        operationId: 'listApiKeys',
        summary: 'List API keys',
        description:
          'Those that reach no further than the key that asks, oldest first, never the keys themselves.',
        tags,
        response: {
          200: { ...apiKeyList, description: 'The keys.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => ({
        apiKeys: (await apiKeys.list(request.caller)).map(listedBody),
      }),
    });

    app.get('/api-keys/:id', {
      config,
      schema: {
        operationId: 'readApiKey',
        summary: 'Read what an API key may do',
        tags,
        params: apiKeyParams,
        response: {
          200: { ...apiKeyView, description: 'The key, never its text.' },
          ...problemResponses('invalid_request', 'api_key_not_found', ...guardedProblems),
        },
      },
      handler: async (request) => listedBody(await apiKeys.read(request.caller, request.params.id)),
    });

    app.delete('/api-keys/:id', {
      config,
      schema: {
        operationId: 'revokeApiKey',
        summary: 'Revoke an API key',
        description: 'Refused by every instance within 5 s. Also when there is no such key.',
        tags,
        params: apiKeyParams,
        response: {
          204: Type.Null({ description: 'Done.' }),
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        await apiKeys.revoke(request.caller, request.params.id);
        return reply.code(204).send(null);
      },
    });

    app.post('/api-keys/:id/rotate', {
      config,
      schema: {
        operationId: 'rotateApiKey',
        summary: 'Replace the secret of an API key',
        description:
          'The one before stays good for `overlapSeconds`. Those before that end as they would have, and no later; 0 ends all.',
        tags,
        params: apiKeyParams,
        body: rotation,
        response: {
          200: { ...issuedApiKey, description: 'The new key.' },
          ...problemResponses(...bodyProblems, 'api_key_not_found', ...guardedProblems),
        },
      },
      handler: async (request) => {
        const { overlapSeconds } = request.body;
        const { id } = request.params;
        const { record, key } = await apiKeys.rotate(request.caller, id, overlapSeconds);
        return { key, ...keyBody(record) };
      },
    });
  };
}
