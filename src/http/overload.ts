// Owns load shedding: beyond what can be answered in time, a request is refused at once instead of slowing down all others.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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
  /** Requests under way by their connection. A response that waits behind others on a connection that dies never says `close`. */
  const underWay = new WeakMap<Socket, Set<ServerResponse>>();
  let inFlight = 0;

  function leave(socket: Socket, response: ServerResponse): void {
    if (underWay.get(socket)?.delete(response)) inFlight--;
  }
  function leaveAll(socket: Socket): void {
    inFlight -= underWay.get(socket)?.size ?? 0;
    underWay.delete(socket);
  }

  app.addHook('onRequest', ({ raw: { socket } }, { raw: response }, done) => {
    if (inFlight >= MAX_IN_FLIGHT) return done(overloaded());
    if (!underWay.has(socket)) {
      underWay.set(socket, new Set());
      socket.once('close', () => leaveAll(socket));
    }
    underWay.get(socket)?.add(response);
    inFlight++;
    response.once('close', () => leave(socket, response));
    return done();
  });
}
