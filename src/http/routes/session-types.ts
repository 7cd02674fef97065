// Owns the routes of session types: the policy of a product's tag, kept by operators or as code.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { SessionTypes } from '../../sessions/session-types.ts';
import { requirePermission, requireProduct, requireScope } from '../caller.ts';
import { etagOf, preconditionOf } from '../conditions.ts';
import { bodyProblems, guardedProblems, problemResponses } from '../problem-schema.ts';
import {
  checkBody,
  checkReport,
  conditionHeaders,
  etagHeader,
  productParams,
  sessionType,
  typeList,
  typeParams,
} from '../type-schemas.ts';

const DEFAULT_SAMPLE = 200;
const tags = ['session types'];
const config = { permission: 'admin' } as const;
const address = '/session-types/:product/:tag';

export function sessionTypeRoutes({
  types,
}: {
  readonly types: SessionTypes;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.put(address, {
      config,
      schema: {
        operationId: 'putSessionType',
        summary: 'Set the type of a tag',
        description:
          'Seen by every instance within 5 s; live sessions follow at their next refresh. Putting what is there already changes nothing.',
        tags,
        params: typeParams,
        headers: conditionHeaders,
        body: sessionType,
        response: {
          200: {
            ...sessionType,
            description: 'The type, changed or as it was.',
            headers: etagHeader,
          },
          201: { ...sessionType, description: 'The type, new.', headers: etagHeader },
          ...problemResponses(
            ...bodyProblems,
            'precondition_failed',
            'session_type_limit_reached',
            ...guardedProblems,
          ),
        },
      },
      handler: async (request, reply) => {
        const { product, tag } = request.params;
        // A type holds in all environments: a key of one environment reads it and may not change it.
        requireProduct(request, { product, tag }, 'all environments');
        const condition = preconditionOf(request.headers);
        const { type, version, outcome } = await types.put(product, tag, request.body, condition);
        reply.code(outcome === 'created' ? 201 : 200);
        reply.header('etag', etagOf(version));
        return type;
      },
    });

    app.get(address, {
      config,
      schema: {
        operationId: 'readSessionType',
        summary: 'Read the type of a tag',
        description: 'The answer can be put back unchanged.',
        tags,
        params: typeParams,
        response: {
          200: { ...sessionType, description: 'The type as it was put.', headers: etagHeader },
          ...problemResponses('invalid_request', 'session_type_not_found', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        const { product, tag } = request.params;
        requireProduct(request, { product, tag });
        const { type, version } = await types.get(product, tag);
        reply.header('etag', etagOf(version));
        return type;
      },
    });

    app.delete(address, {
      config,
      schema: {
        operationId: 'removeSessionType',
        summary: 'Remove the type of a tag',
        description: 'Also when there is none. The tag goes on with the defaults of the service.',
        tags,
        params: typeParams,
        headers: conditionHeaders,
        response: {
          204: Type.Null({ description: 'Done.' }),
          ...problemResponses('invalid_request', 'precondition_failed', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        const { product, tag } = request.params;
        // A type holds in all environments: a key of one environment reads it and may not change it.
        requireProduct(request, { product, tag }, 'all environments');
        await types.remove(product, tag, preconditionOf(request.headers));
        return reply.code(204).send(null);
      },
    });

    app.get('/session-types/:product', {
      config,
      schema: {
        operationId: 'listSessionTypes',
        summary: 'List the types of a product',
        tags,
        params: productParams,
        response: {
          200: { ...typeList, description: 'All of them, in order of their tags.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        const { product } = request.params;
        requireProduct(request, { product });
        const found = await types.list(product);
        return {
          types: found.map(({ tag, version, type }) => ({ tag, etag: etagOf(version), type })),
        };
      },
    });

    app.post(`${address}/check`, {
      config,
      schema: {
        operationId: 'checkSessionType',
        summary: 'Ask how many live sessions would break a proposed type',
        description:
          'Looks at a sample of the sessions of one environment. Changes nothing. Needs the permission `read` besides `admin`.',
        tags,
        params: typeParams,
        body: checkBody,
        response: {
          200: { ...checkReport, description: 'What was found, without any details.' },
          ...problemResponses(...bodyProblems, ...guardedProblems),
        },
      },
      handler: async (request) => {
        const { product, tag } = request.params;
        const { type, env, sample = DEFAULT_SAMPLE } = request.body;
        // Whoever may choose the schema learns of the details, answer by answer.
        requirePermission(request, 'read');
        requireScope(request, { product, env, tag });
        const { faults, ...counts } = await types.check({ product, env, tag, type, sample });
        return { ...counts, faults: [...faults] };
      },
    });
  };
}
