// Owns what all JSON routes have in common: bodies as bytes for the strict reader, one check per route, JSON answers only.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { noQuery } from './members.ts';
import { ProblemError } from './problem.ts';
import { createRequestCheck } from './request-check.ts';

const MEDIA_TYPES = ['application/json', 'application/problem+json', 'text/plain'];

/** Exactly one of these, alone or with the charset it has anyway (RFC 8259). */
const JSON_TYPE = /^(application\/(?:merge-patch\+)?json)(?:\s*;\s*charset="?utf-8"?)?$/i;

const unsupported = (detail: string) => new ProblemError('unsupported_media_type', detail);

/** Why this request cannot be read or answered as JSON. */
function headerFault({ headers, raw, routeOptions }: FastifyRequest): ProblemError | undefined {
  const { accept, 'content-type': type, 'content-encoding': encoding } = headers;
  if (accept !== undefined && accept !== '*/*' && !new Negotiator(raw).mediaType(MEDIA_TYPES)) {
    return new ProblemError('not_acceptable', 'Accept application/json.');
  }
  if (type !== undefined) {
    const accepted = ['application/json', ...(routeOptions.config.mediaTypes ?? [])];
    if (!accepted.includes(JSON_TYPE.exec(type)?.[1]?.toLowerCase() ?? '')) {
      return unsupported(`Send the body as ${accepted.at(-1)}.`);
    }
  }
  return encoding === undefined || encoding === 'identity'
    ? undefined
    : unsupported('Send the body without a content encoding.');
}

/** Prepares a scope; must be called before its routes. */
export function speakJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );
  // The checks below replace Fastify's own validation, which stops at the first faulty part.
  app.setValidatorCompiler(() => () => true);
  app.addHook('onRoute', (route) => {
    // A caller is told of a parameter that would be ignored; probes and readers of public keys have habits of their own.
    const anyQuery = route.config?.permission === undefined;
    route.preValidation = [
      createRequestCheck(
        anyQuery ? (route.schema ?? {}) : { querystring: noQuery, ...route.schema },
      ),
      route.preValidation ?? [],
    ].flat();
  });
  app.addHook('onRequest', (request, _reply, done) => done(headerFault(request)));
}
