// Owns the route that a Prometheus scraper reads.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { requireWholeScope } from '../caller.ts';
import type { Metrics } from '../metrics.ts';
import { guardedProblems, problemResponses } from '../problem-schema.ts';

export function metricsRoutes({
  metrics,
}: {
  readonly metrics: Metrics;
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/metrics', {
      logLevel: 'warn',
      config: { permission: 'metrics' },
      schema: {
        operationId: 'readMetrics',
        summary: 'Numbers for Prometheus',
        tags: ['metrics'],
        response: {
          200: {
            description: 'Prometheus text.',
            content: { 'text/plain': { schema: Type.String() } },
          },
          ...problemResponses(...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        requireWholeScope(request);
        reply.type(metrics.contentType);
        return metrics.render();
      },
    });
  };
}
