// Owns what happens below routes: requests that are broken, too slow or too large before Fastify sees them, and the limits of time.

import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  PROBLEM_KINDS,
  PROBLEM_MEDIA_TYPE,
  type ProblemCode,
  problemDocument,
  rawProblem,
} from './problem.ts';

/** A whole request must have arrived in this time; Fastify's default never cuts a slow body. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** Longer than the idle time of common load balancers (60 s), so that they and not we close first. */
export const KEEP_ALIVE_MS = 72_000;

export const httpOptions: ServerOptions = {
  headersTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  // Node's own answer to a missing Host has no problem document; src/app.ts gives ours.
  requireHostHeader: false,
};

const clientErrors: Readonly<Record<string, readonly [ProblemCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'The headers are larger than 16 KiB.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'Send the whole request without pauses.'],
};

/** Answers a connection whose request could not be read, and closes it. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const [code, detail] = clientErrors[error.code ?? ''] ?? [
      'invalid_request',
      'This is not a valid HTTP/1.1 request.',
    ];
    socket.write(rawProblem(code, detail));
  }
  socket.destroySoon();
}

/** `Expect` with anything but 100-continue. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  response.statusCode = PROBLEM_KINDS.expectation_failed.status;
  response.setHeader('content-type', PROBLEM_MEDIA_TYPE);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('connection', 'close');
  response.end(
    problemDocument('expectation_failed', 'Only 100-continue can be expected.', undefined),
  );
}

/** A tunnel is no request that a route could answer. */
function refuseTunnel(socket: Duplex, timeoutMs: number): void {
  // Node has let go of the socket: an error that nobody listens to would end the process.
  socket.on('error', () => socket.destroy());
  socket.end(rawProblem('method_not_allowed', 'This is no proxy.', { allow: '' }));
  // Our half is closed; a client that never closes its own would keep the connection.
  cutLater(socket, socket, timeoutMs);
}

/** Cuts the connection after `timeoutMs` unless `exchange` has closed by then. */
function cutLater(socket: Duplex, exchange: Duplex | ServerResponse, timeoutMs: number): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  timer.unref();
  exchange.on('close', () => clearTimeout(timer));
}

/** `exchangeTimeoutMs`: without it a client that reads nothing, or a byte now and then, would keep its answer in our memory for ever. */
export function listenBelowRoutes(server: Server, exchangeTimeoutMs: number): void {
  server.on('request', ({ socket }, response) => cutLater(socket, response, exchangeTimeoutMs));
  server.on('connect', (_request, socket) => refuseTunnel(socket, exchangeTimeoutMs));
  server.on('checkExpectation', answerExpectation);
}
