// Owns the head of the OpenAPI document; its body is generated from the schemas of the routes.

import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { nameHeaders } from './openapi-headers.ts';

export const openapiOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Session Mint',
      version: '0.1.0',
      summary: 'Issues, refreshes, verifies and revokes session tokens.',
      description:
        'A backend says "user X starts a session of kind `tag` in `product` and `env`" and gets a short-lived signed token and a long-lived refresh token. Every error is an RFC 9457 problem document with a code of docs/errors.md. Besides those that its operation names, any request may be answered 400 (no HTTP/1.1, or no readable address), 404 (no such address), 405 with `Allow`, 408 (too slow), 413, 414, 417 (an expectation other than 100-continue) or 431. `RateLimit-…` headers come with keys that have a limit.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The service that answers with this document.' }],
    tags: [
      { name: 'sessions', description: 'The life of a session.' },
      { name: 'users', description: 'Who holds sessions, and numbers of it all.' },
      { name: 'session types', description: 'Policy of the sessions of a tag.' },
      { name: 'api keys', description: 'What backends may do, and where.' },
      { name: 'keys', description: 'Public keys, and where they are found.' },
      { name: 'probes', description: 'For orchestrators.' },
      { name: 'metrics', description: 'For Prometheus.' },
    ],
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key.' },
      },
    },
    security: [{ apiKey: [] }],
  },
  transformObject: nameHeaders,
  refResolver: {
    buildLocalReference: (schema, _base, _fragment, index) =>
      typeof schema['$id'] === 'string' ? schema['$id'] : `schema-${index}`,
  },
};
