// Owns the route of the numbers of a product and environment.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { SessionService } from '../../sessions/session-service.ts';
import { requireScope } from '../caller.ts';
import { guardedProblems, problemResponses } from '../problem-schema.ts';
import { partParams, statsQuery, statsView } from '../user-schemas.ts';

export function statsRoutes({
  sessions,
}: {
  readonly sessions: SessionService;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/stats/:product/:env', {
      config: { permission: 'read' },
      schema: {
        operationId: 'readStats',
        summary: 'Numbers of users and sessions',
        description: 'Of one tag if given.',
        tags: ['users'],
        params: partParams,
        querystring: statsQuery,
        response: {
          200: { ...statsView, description: 'The numbers, as they are now.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, { ...request.params, tag: request.query.tag });
        const activity = await sessions.activity({ ...request.params, ...request.query });
        const { activeUsers, inactiveUsers, expiredUsers, totalSessions } = activity;
        const totalUsers = activeUsers + inactiveUsers + expiredUsers;
        return {
          totalUsers,
          ...activity,
          averageSessionsPerUser: totalUsers === 0 ? 0 : totalSessions / totalUsers,
        };
      },
    });
  };
}
