// Owns what is said about each request: one log line and one measurement, with the route's pattern and never its address.

import type { FastifyInstance } from 'fastify';
import { errorToProblem } from './error-to-problem.ts';
import type { Metrics } from './metrics.ts';
import { PROBLEM_KINDS, sendProblem } from './problem.ts';

/** Logs and measures every request of the app. */
export function observeRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    metrics.observeRequest(method, route, status, elapsedTime / 1000);
    request.log.info(
      {
        reqId: request.id,
        method,
        route,
        status,
        ms: Math.round(elapsedTime * 10) / 10,
        caller: request.caller?.id,
        from: request.ip,
      },
      'request',
    );
    done();
  });
}

/** Answers every error with its problem; logs those that are not the caller's matter. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: Error, request, reply) => {
    const problem = errorToProblem(error);
    const { id: reqId } = request;
    if (problem.code === 'internal') request.log.error({ reqId, err: error }, 'unexpected error');
    else if (PROBLEM_KINDS[problem.code].retryable)
      request.log.warn({ reqId, code: problem.code, why: error.message }, 'unavailable');
    return sendProblem(request, reply, problem);
  });
}
