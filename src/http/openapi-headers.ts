// Owns the headers of answers that no single route decides, as the OpenAPI document names them.

import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

type Transform = NonNullable<FastifyDynamicSwaggerOptions['transformObject']>;

const header = (type: 'integer' | 'string', description: string, example: number | string) => ({
  description,
  schema: { type, examples: [example] },
});

const HEADERS = {
  'Retry-After': header('integer', 'Seconds after which the request may be sent again.', 1),
  'WWW-Authenticate': header('string', 'The scheme of the credential that is missing.', 'Bearer'),
  'RateLimit-Limit': header('integer', 'Requests that may be sent in a minute.', 600),
  'RateLimit-Remaining': header('integer', 'Those of them that are left.', 599),
  'RateLimit-Reset': header('integer', 'Seconds until there are all of them again.', 42),
};
type HeaderName = keyof typeof HEADERS;

const RATE_LIMIT = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'] as const;
/** Of problems, by their status. */
const BY_STATUS: Readonly<Record<string, readonly HeaderName[]>> = {
  '401': ['WWW-Authenticate'],
  '429': ['Retry-After', ...RATE_LIMIT],
  '503': ['Retry-After'],
};

interface Response {
  headers?: Record<string, unknown>;
}
interface Operation {
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, Response>>;
}
interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { headers?: unknown };
}

/** An answer behind a key tells what is left of its requests, if it has a limit. */
const headersOf = (status: string, { security }: Operation): readonly HeaderName[] =>
  BY_STATUS[status] ?? (status.startsWith('2') && security?.length !== 0 ? RATE_LIMIT : []);

/** Adds them to a document that is made of the routes. */
export const nameHeaders: Transform = (made) => {
  if (!('openapiObject' in made)) return made.swaggerObject;
  const document = made.openapiObject as unknown as Described;
  document.components.headers = HEADERS;
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    for (const [status, response] of Object.entries(operation.responses)) {
      const references = headersOf(status, operation).map((name) => [
        name,
        { $ref: `#/components/headers/${name}` },
      ]);
      if (references.length === 0) continue;
      response.headers = { ...response.headers, ...Object.fromEntries(references) };
    }
  }
  return made.openapiObject;
};
