// Owns the probes: is the process alive, can it do its work.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { SessionStore } from '../../sessions/session-store.ts';
import { ProblemError } from '../problem.ts';
import { problemResponses } from '../problem-schema.ts';

export interface Lifecycle {
  /** Set once the process is to stop: what is under way is answered, nothing new should come. */
  draining: boolean;
}

export interface ProbeRoutesDeps {
  readonly store: Pick<SessionStore, 'now' | 'describe'>;
  readonly lifecycle: Readonly<Lifecycle>;
}

const readiness = Type.Object(
  {
    status: Type.String({ examples: ['ready'] }),
    store: Type.String({ description: '`memory` or `redis`.', examples: ['redis'] }),
    mode: Type.String({
      description: '`embedded`, `single`, `sentinel` or `cluster`.',
      examples: ['single'],
    }),
    durability: Type.String({
      description: 'What an acknowledged write survives, as docs/durability.md names it.',
      examples: ['everysec'],
    }),
    acknowledgedReplicas: Type.Integer({
      description: 'Replicas that acknowledge each write.',
      examples: [0],
    }),
  },
  { description: 'The service can do its work.' },
);

export function probeRoutes({ store, lifecycle }: ProbeRoutesDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    const schema = { tags: ['probes'], security: [] };
    // Asked every few seconds: a success is not worth a line.
    const logLevel = 'warn';
    app.get('/livez', {
      logLevel,
      schema: {
        ...schema,
        operationId: 'live',
        summary: 'Whether the process answers',
        response: {
          200: Type.Object(
            { status: Type.String({ examples: ['ok'] }) },
            { description: 'It does.' },
          ),
          ...problemResponses('not_acceptable'),
        },
      },
      handler: async () => ({ status: 'ok' }),
    });
    app.get('/readyz', {
      logLevel,
      schema: {
        ...schema,
        operationId: 'ready',
        summary: 'Whether the service can do its work, by a real operation on the store',
        response: {
          200: readiness,
          ...problemResponses('not_acceptable', 'overloaded', 'store_unavailable'),
        },
      },
      handler: async () => {
        if (lifecycle.draining) throw new ProblemError('overloaded', 'The process is stopping.');
        await store.now();
        return { status: 'ready', ...store.describe() };
      },
    });
  };
}
