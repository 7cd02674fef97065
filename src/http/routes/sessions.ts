// Owns the routes of sessions by their address: read, change, end, list.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { SessionService } from '../../sessions/session-service.ts';
import { sessionVersion } from '../../sessions/session-version.ts';
import { requireScope } from '../caller.ts';
import { etagOf, preconditionOf } from '../conditions.ts';
import { DEFAULT_PAGE } from '../members.ts';
import { bodyProblems, guardedProblems, problemResponses } from '../problem-schema.ts';
import { page, sessionBody } from '../session-body.ts';
import {
  ifMatchHeaders,
  listQuery,
  placeParams,
  sessionList,
  sessionParams,
  sessionPatch,
  sessionView,
} from '../session-schemas.ts';

const tags = ['sessions'];
const etag = { ETag: Type.String({ description: 'For `If-Match`.' }) };
const MERGE_PATCH = 'application/merge-patch+json';

export function sessionRoutes({
  sessions,
}: {
  readonly sessions: SessionService;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/sessions/:product/:env/:tag/:sessionId', {
      config: { permission: 'read' },
      schema: {
        operationId: 'readSession',
        summary: 'Read a session',
        tags,
        params: sessionParams,
        response: {
          200: { ...sessionView, description: 'The session, never its tokens.', headers: etag },
          ...problemResponses('invalid_request', 'session_not_found', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        const session = await sessions.read(request.params);
        reply.header('etag', etagOf(sessionVersion(session)));
        return sessionBody(session);
      },
    });

    app.patch('/sessions/:product/:env/:tag/:sessionId', {
      config: { permission: 'issue', mediaTypes: [MERGE_PATCH] },
      schema: {
        operationId: 'changeDetails',
        summary: 'Change the details of a live session',
        description:
          'A JSON Merge Patch (RFC 7396): null removes a member. verify shows the change at once; nothing else of the session changes.',
        tags,
        consumes: ['application/json', MERGE_PATCH],
        params: sessionParams,
        headers: ifMatchHeaders,
        body: sessionPatch,
        response: {
          200: { ...sessionView, description: 'The session as it is now.', headers: etag },
          ...problemResponses(
            ...bodyProblems,
            'session_not_found',
            'precondition_failed',
            ...guardedProblems,
          ),
        },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        const session = await sessions.changeDetails(request.params, {
          patch: request.body.data.details,
          ifMatch: preconditionOf(request.headers).ifMatch,
        });
        reply.header('etag', etagOf(sessionVersion(session)));
        return sessionBody(session);
      },
    });

    app.delete('/sessions/:product/:env/:tag/:sessionId', {
      config: { permission: 'revoke' },
      schema: {
        operationId: 'revokeSession',
        summary: 'End a session',
        description: 'Also when it is already gone.',
        tags,
        params: sessionParams,
        response: {
          204: Type.Null({ description: 'Done.' }),
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        await sessions.revoke(request.params);
        return reply.code(204).send(null);
      },
    });

    app.get('/sessions/:product/:env/:tag', {
      config: { permission: 'read' },
      schema: {
        operationId: 'listSessions',
        summary: 'List the sessions of a tag',
        description:
          'Of one user, newest first; of all users, in no particular order, missing no live session but one that a refresh under a shortened type makes end sooner, and possibly repeating one that was refreshed meanwhile.',
        tags,
        params: placeParams,
        querystring: listQuery,
        response: {
          200: { ...sessionList, description: 'A page of sessions.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, request.params);
        const { limit = DEFAULT_PAGE, ...query } = request.query;
        const listed = await sessions.list({ ...request.params, ...query, limit });
        return page({ sessions: listed.sessions.map(sessionBody) }, listed.nextCursor);
      },
    });
  };
}
