// Owns the interactive reference and the documents that problems point to. Off in production unless asked for.

import { readFile } from 'node:fs/promises';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { watchRoutes } from '../method-not-allowed.ts';
import { ProblemError } from '../problem.ts';

const ERRORS_PAGE = new URL('../../../docs/errors.md', import.meta.url);

/** `described`: the instance on which @fastify/swagger was registered. */
export function docsRoutes(described: FastifyInstance): FastifyPluginAsync {
  return async (app) => {
    // What the reader of static files refuses (a path that leads out, a NUL) is simply not there.
    app.setErrorHandler((error, request) => {
      if (error instanceof ProblemError || !request.url.startsWith('/docs/static/')) throw error;
      throw new ProblemError('not_found', 'There is nothing at this address.');
    });
    const unknownMethods = watchRoutes(app);
    const errors = await readFile(ERRORS_PAGE, 'utf8');
    await app.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { deepLinking: true },
      // No bar on top: it shows the emblem of another product and asks for the address of another document.
      theme: {
        title: 'Session Mint',
        css: [{ filename: 'page.css', content: '.swagger-ui .topbar { display: none }' }],
      },
    });
    app.get('/openapi.json', { schema: { hide: true } }, async () => described.swagger());
    app.get('/docs/errors.md', { schema: { hide: true } }, async (_request, reply) => {
      reply.type('text/markdown; charset=utf-8');
      return errors;
    });
    await app.register(unknownMethods);
  };
}
