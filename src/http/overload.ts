// Owns load shedding: beyond what can be answered in time, a request is refused at once instead of slowing down all others.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import underPressure from '@fastify/under-pressure';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './problem.ts';

const overloaded = () => new ProblemError('overloaded', 'Send the request again in a moment.');

export interface LoadLimits {
  /** Mean delay of the event loop over a second beyond which requests are refused. */
  readonly maxLoopDelayMs: number;
  /** Authenticated requests under way at most. */
  readonly maxInFlight: number;
}

/** Sheds load on all routes of this scope. */
export async function shedLoad(
  app: FastifyInstance,
  { maxLoopDelayMs, maxInFlight }: LoadLimits,
): Promise<void> {
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

  // Once its body is there: who sends none would hold a place for ten seconds at no cost.
  app.addHook('preValidation', ({ raw: { socket } }, { raw: response }, done) => {
    if (inFlight >= maxInFlight) return done(overloaded());
    if (!underWay.has(socket)) {
      underWay.set(socket, new Set());
      socket.once('close', () => leaveAll(socket));
    }
    underWay.get(socket)?.add(response);
    inFlight++;
    // Not `once`, which costs more and would say the same: it closes once.
    response.on('close', () => leave(socket, response));
    return done();
  });
}
