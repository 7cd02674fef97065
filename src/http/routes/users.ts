// Owns the routes of users: who they are, ending all sessions of one, erasing one.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { SessionService } from '../../sessions/session-service.ts';
import type { User } from '../../sessions/user-store.ts';
import { requireScope } from '../caller.ts';
import { DEFAULT_PAGE } from '../members.ts';
import { rfc3339 } from '../moment.ts';
import { guardedProblems, problemResponses } from '../problem-schema.ts';
import { page, sessionBody } from '../session-body.ts';
import {
  partParams,
  revokedCount,
  revokeUserQuery,
  userList,
  userParams,
  usersQuery,
  userView,
} from '../user-schemas.ts';

const userSummary = (user: User) => ({
  userId: user.userId,
  firstSeenAt: rfc3339(user.firstSeenAtMs),
  lastSeenAt: rfc3339(user.lastSeenAtMs),
  activeSessions: user.activeSessions,
});

export function userRoutes({
  sessions,
}: {
  readonly sessions: SessionService;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    const tags = ['users'];

    app.get('/users/:product/:env', {
      config: { permission: 'read' },
      schema: {
        operationId: 'listUsers',
        summary: 'List the users of a product and environment',
        description:
          'Of one tag if given, in no particular order. A user whose last session ends between two pages may be missing from the later one.',
        tags,
        params: partParams,
        querystring: usersQuery,
        response: {
          200: { ...userList, description: 'A page of users.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, { ...request.params, tag: request.query.tag });
        const { limit = DEFAULT_PAGE, ...query } = request.query;
        const listed = await sessions.listUsers({ ...request.params, ...query, limit });
        return page({ users: listed.users.map(userSummary) }, listed.nextCursor);
      },
    });

    app.get('/users/:product/:env/:userId', {
      config: { permission: 'read' },
      schema: {
        operationId: 'readUser',
        summary: 'Read a user and its live sessions',
        description: 'As seen under one tag if given. `limit` and `cursor` page its sessions.',
        tags,
        params: userParams,
        querystring: usersQuery,
        response: {
          200: { ...userView, description: 'The user.' },
          ...problemResponses('invalid_request', 'user_not_found', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, { ...request.params, tag: request.query.tag });
        const { limit = DEFAULT_PAGE, ...query } = request.query;
        const view = await sessions.readUser({ ...request.params, ...query, limit });
        const user = {
          ...userSummary(view.user),
          totalSessions: view.user.totalSessions,
          sessions: view.sessions.map(sessionBody),
        };
        return page(user, view.nextCursor);
      },
    });

    app.delete('/users/:product/:env/:userId', {
      config: { permission: 'revoke' },
      schema: {
        operationId: 'eraseUser',
        summary: 'Erase a user',
        description:
          'Ends its sessions and forgets everything that is kept of it. Also when there is no such user.',
        tags,
        params: userParams,
        response: {
          204: Type.Null({ description: 'Done.' }),
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        await sessions.eraseUser(request.params);
        return reply.code(204).send(null);
      },
    });

    app.delete('/users/:product/:env/:userId/sessions', {
      config: { permission: 'revoke' },
      schema: {
        operationId: 'revokeUserSessions',
        summary: 'End all sessions of a user',
        description: 'Of one tag if given; all but the session `except` if given.',
        tags,
        params: userParams,
        querystring: revokeUserQuery,
        response: {
          200: { ...revokedCount, description: 'How many there were.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, { ...request.params, tag: request.query.tag });
        const revoked = await sessions.revokeUser({ ...request.params, ...request.query });
        return { revoked };
      },
    });
  };
}
