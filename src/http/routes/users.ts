// Owns the routes of users: ending all sessions of one.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { SessionService } from '../../sessions/session-service.ts';
import { requireScope } from '../caller.ts';
import {
  guardedProblems,
  problemResponses,
  revokedCount,
  revokeUserQuery,
  userParams,
} from '../schemas.ts';

export function userRoutes({
  sessions,
}: {
  readonly sessions: SessionService;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.delete('/users/:product/:env/:userId/sessions', {
      config: { permission: 'revoke' },
      schema: {
        operationId: 'revokeUserSessions',
        summary: 'End all sessions of a user',
        description: 'Of one tag if given; all but the session `except` if given.',
        tags: ['users'],
        params: userParams,
        querystring: revokeUserQuery,
        response: {
          200: { ...revokedCount, description: 'How many there were.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, request.params);
        const revoked = await sessions.revokeUser({ ...request.params, ...request.query });
        return { revoked };
      },
    });
  };
}
