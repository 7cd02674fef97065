// Owns load shedding: beyond what can be answered in time, a request is refused at once instead of slowing down all others.

import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './problem.ts';

/** Authenticated requests under way at most; at about 200 µs each this is less than half a second of work. */
const MAX_IN_FLIGHT = 2000;

const overloaded = () => new ProblemError('overloaded', 'Send the request again in a moment.');

/** Sheds load on all routes of this scope. `maxLoopDelayMs`: mean delay of the event loop over a second. */
export async function shedLoad(app: FastifyInstance, maxLoopDelayMs: number): Promise<void> {
  await app.register(underPressure, {
    maxEventLoopDelay: maxLoopDelayMs,
    pressureHandler: () => {
      throw overloaded();
    },
  });
  let inFlight = 0;
  app.addHook('onRequest', (_request, reply, done) => {
    if (inFlight >= MAX_IN_FLIGHT) return done(overloaded());
    inFlight++;
    // `close` comes for every response, also for one whose client has gone.
    reply.raw.once('close', () => {
      inFlight--;
    });
    return done();
  });
}
