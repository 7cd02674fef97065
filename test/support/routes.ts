// Owns the list of all routes that an application has.

import type { FastifyInstance, InjectOptions } from 'fastify';

type Method = NonNullable<InjectOptions['method']>;

export interface Route {
  readonly method: Method;
  readonly url: string;
}

/** All addresses of an application with their methods, read from the tree that Fastify prints. */
export function routesOf(app: FastifyInstance): Route[] {
  const path: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent, piece, methods] = /^([│ ]*)[├└]── (\S*) \((.+)\)/u.exec(line) ?? [];
      if (indent === undefined || piece === undefined || methods === undefined) return [];
      path.splice(indent.length / 4, path.length, piece);
      const url = path.join('');
      return methods.split(', ').map((method) => ({ method: method as Method, url }));
    });
}
