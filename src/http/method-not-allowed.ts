// Owns the answers for addresses and methods that do not exist: 404, and 405 with Allow.

import { METHODS } from 'node:http';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import { ProblemError } from './problem.ts';

const notFound = () => new ProblemError('not_found', 'There is nothing at this address.');

const rejectMethod = (allowed: string) => async (): Promise<void> => {
  throw new ProblemError('method_not_allowed', `Use ${allowed}.`, { headers: { allow: allowed } });
};

/** Answers 404 for every address that no route has, whatever the method. */
export function refuseUnknownAddresses(app: FastifyInstance): void {
  // Methods of HTTP that Fastify does not route by itself: a known address answers them with 405 like any other.
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method);
  }
  app.addHook('onRequest', async ({ is404 }) => {
    // Here and not in the handler: a body that cannot be read would otherwise be answered first.
    if (is404) throw notFound();
  });
  // Reached by a route that finds nothing behind its address.
  app.setNotFoundHandler(() => {
    throw notFound();
  });
}

/**
 * Watches the routes of a scope; must be called before the first of them. The returned plugin, registered behind the last,
 * answers 405 for every other method of each address that exists.
 */
export function watchRoutes(scope: FastifyInstance): FastifyPluginAsync {
  const methodsByUrl = new Map<string, Set<string>>();
  scope.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByUrl.get(url) ?? new Set<string>();
    for (const each of [method].flat()) methods.add(each);
    // Of the second spelling of `/` below a prefix Fastify tells only the HEAD route, which comes with a GET one.
    if (methods.has('HEAD')) methods.add('GET');
    methodsByUrl.set(url, methods);
  });
  return async (rest) => {
    for (const [url, methods] of [...methodsByUrl]) {
      const others = rest.supportedMethods.filter((method) => !methods.has(method));
      rest.route({
        method: others,
        url,
        exposeHeadRoute: false,
        schema: { hide: true },
        onRequest: rejectMethod([...methods].sort().join(', ')),
        handler: async () => undefined,
      });
    }
  };
}
