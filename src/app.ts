// Owns the assembly of the HTTP application: scopes, plugins, routes. Knows no environment, no clock and no port.

import swagger from '@fastify/swagger';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  LogController,
} from 'fastify';
import type { ApiKeys } from './callers/api-keys.ts';
import type { Authenticate } from './callers/caller.ts';
import { requireCaller } from './http/caller.ts';
import {
  answerClientError,
  httpOptions,
  KEEP_ALIVE_MS,
  listenBelowRoutes,
  REQUEST_TIMEOUT_MS,
} from './http/connection.ts';
import { errorToProblem } from './http/error-to-problem.ts';
import { speakJson } from './http/json-scope.ts';
import { refuseUnknownAddresses, watchRoutes } from './http/method-not-allowed.ts';
import type { Metrics } from './http/metrics.ts';
import { answerErrors, observeRequests } from './http/observe.ts';
import { openapiOptions } from './http/openapi.ts';
import { type LoadLimits, shedLoad } from './http/overload.ts';
import { ProblemError, sendProblem } from './http/problem.ts';
import { problemSchema } from './http/problem-schema.ts';
import { createRateLimits, type RateLimitOptions } from './http/rate-limits.ts';
import { apiKeyRoutes } from './http/routes/api-keys.ts';
import { docsRoutes } from './http/routes/docs.ts';
import { metricsRoutes } from './http/routes/metrics.ts';
import { type Lifecycle, probeRoutes } from './http/routes/probes.ts';
import { sessionTypeRoutes } from './http/routes/session-types.ts';
import { sessionRoutes } from './http/routes/sessions.ts';
import { statsRoutes } from './http/routes/stats.ts';
import { tokenRoutes } from './http/routes/tokens.ts';
import { userRoutes } from './http/routes/users.ts';
import { wellKnownRoutes } from './http/routes/well-known.ts';
import type { SessionService } from './sessions/session-service.ts';
import type { SessionStore } from './sessions/session-store.ts';
import type { SessionTypes } from './sessions/session-types.ts';
import type { SigningKeys } from './sessions/signing-keys.ts';

export interface AppDeps {
  readonly sessions: SessionService;
  readonly types: SessionTypes;
  readonly keys: SigningKeys;
  readonly store: Pick<SessionStore, 'now' | 'describe'>;
  readonly authenticate: Authenticate;
  readonly apiKeys: ApiKeys;
  /** `iss` of the tokens: the address under which the service is known. */
  readonly issuer: string;
  readonly rateLimits: RateLimitOptions;
  readonly metrics: Metrics;
  readonly lifecycle: Readonly<Lifecycle>;
  readonly logger: FastifyBaseLogger;
  /** Draws the id of a request, a UUID. */
  readonly newRequestId: () => string;
  readonly detailsMaxBytes: number;
  readonly load: LoadLimits;
  /** From its head on, a request and the reading of its answer may take so long; then its connection is cut. */
  readonly exchangeTimeoutMs: number;
  readonly trustProxy: readonly string[];
  /** Whether to serve /docs and /openapi.json. */
  readonly docs: boolean;
}

const BODY_LIMIT_BYTES = 32 * 1024;
const MAX_URL_LENGTH = 8 * 1024;
/** 256 characters of a user id, percent-encoded: 4 bytes each, 3 characters a byte. */
const MAX_PARAM_LENGTH = 256 * 4 * 3;

/** Headers of every answer, and the checks that come before any route's. */
function guardAll(app: FastifyInstance, lifecycle: Readonly<Lifecycle>): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('request-id', request.id);
    const { url = '', headers, httpVersion } = request.raw;
    if (url.length > MAX_URL_LENGTH) {
      done(new ProblemError('uri_too_long', 'The address is longer than 8 KiB.'));
    } else if (headers.host === undefined && httpVersion === '1.1') {
      done(new ProblemError('invalid_request', 'HTTP/1.1 needs a Host header.'));
    } else done();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    // Here and not at the beginning: the signal may come while the request is under way.
    if (lifecycle.draining) reply.header('connection', 'close');
    done();
  });
}

/** The protected scope: a route needs an API key because it stands here. */
const guardedRoutes =
  ({
    sessions,
    types,
    metrics,
    authenticate,
    apiKeys,
    rateLimits,
    detailsMaxBytes,
    load,
  }: AppDeps): FastifyPluginAsync =>
  async (guarded) => {
    guarded.addHook('onRequest', (_request, reply, done) => {
      reply.header('cache-control', 'no-store');
      done();
    });
    const { onRefusedKey, limitCaller } = await createRateLimits(guarded, rateLimits);
    guarded.addHook('onRequest', requireCaller(authenticate, onRefusedKey));
    guarded.addHook('onRequest', limitCaller);
    await shedLoad(guarded, load);
    speakJson(guarded);
    await guarded.register(tokenRoutes({ sessions, detailsMaxBytes }));
    await guarded.register(sessionRoutes({ sessions }));
    await guarded.register(userRoutes({ sessions }));
    await guarded.register(statsRoutes({ sessions }));
    await guarded.register(sessionTypeRoutes({ types }));
    await guarded.register(apiKeyRoutes({ apiKeys }));
    await guarded.register(metricsRoutes({ metrics }));
  };

/** Builds the application; the caller listens, or injects requests. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { keys, store, metrics, lifecycle, issuer } = deps;
  const app: FastifyInstance = Fastify({
    loggerInstance: deps.logger,
    // `observeRequests` logs each request, without its address.
    logController: new LogController({ disableRequestLogging: true }),
    // `observeRequests` names the request in its lines; a logger for each would cost as much as the line.
    childLoggerFactory: (logger, _bindings, options) =>
      options.level === undefined ? logger : logger.child({}, options),
    genReqId: deps.newRequestId,
    requestIdHeader: false,
    trustProxy: deps.trustProxy.length > 0 ? [...deps.trustProxy] : false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    http: httpOptions,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) => sendProblem(request, reply, errorToProblem(error)),
  });
  listenBelowRoutes(app.server, deps.exchangeTimeoutMs);
  app.addSchema(problemSchema);
  guardAll(app, lifecycle);
  observeRequests(app, metrics);
  answerErrors(app);
  refuseUnknownAddresses(app);
  await app.register(swagger, openapiOptions);

  await app.register(async (contract) => {
    const unknownMethods = watchRoutes(contract);
    await contract.register(guardedRoutes(deps));
    await contract.register(async (open) => {
      speakJson(open);
      await open.register(wellKnownRoutes({ keys, issuer }));
      await open.register(probeRoutes({ store, lifecycle }));
    });
    await contract.register(unknownMethods);
  });
  if (deps.docs) await app.register(docsRoutes(app));
  return app;
}
