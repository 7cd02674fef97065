// Owns the routes of tokens: start, refresh, verify, and revoke by what a client has in hand.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import type { SessionService } from '../../sessions/session-service.ts';
import type { TokenPair } from '../../sessions/token-pair.ts';
import { requireScope } from '../caller.ts';
import { rfc3339 } from '../moment.ts';
import { bodyProblems, guardedProblems, problemResponses } from '../problem-schema.ts';
import {
  refreshBody,
  revokeBody,
  startBody,
  startedPair,
  startHeaders,
  tokenPair,
  verdict,
  verifyBody,
} from '../token-schemas.ts';

export interface TokenRoutesDeps {
  readonly sessions: SessionService;
  readonly detailsMaxBytes: number;
}

const pairBody = ({ token, refreshToken, session }: TokenPair) => ({
  token,
  refreshToken,
  sessionId: session.sessionId,
  expiresAt: rfc3339(session.tokenExpiresAtSeconds * 1000),
  refreshExpiresAt: rfc3339(session.expiresAtMs),
});

/** `"abc"` and `abc` are one key: the draft writes it as a quoted string, many clients without quotes. */
const unquoted = (key: string): string => /^"(.+)"$/.exec(key)?.[1] ?? key;

const tags = ['sessions'];

export function tokenRoutes({
  sessions,
  detailsMaxBytes,
}: TokenRoutesDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post('/sessions', {
      config: { permission: 'issue' },
      schema: {
        operationId: 'startSession',
        summary: 'Start a session',
        tags,
        headers: startHeaders,
        body: startBody(detailsMaxBytes),
        response: {
          201: {
            ...startedPair,
            description: 'The pair of tokens.',
            headers: { Location: Type.String({ description: 'Address of the session.' }) },
          },
          ...problemResponses(
            ...bodyProblems,
            'session_limit_reached',
            'idempotency_key_expired',
            'idempotency_key_reused',
            ...guardedProblems,
          ),
        },
      },
      handler: async (request, reply) => {
        const { product, env, tag, data, client } = request.body;
        requireScope(request, { product, env, tag });
        const start = {
          product,
          env,
          tag,
          userId: data.userId,
          details: data.details ?? {},
          clientId: request.caller.id,
          client,
        };
        const key = request.headers['idempotency-key'];
        const pair = await (key === undefined
          ? sessions.start(start)
          : sessions.startOnce({ ...start, key: unquoted(key) }));
        reply.code(201);
        reply.header('location', `/sessions/${product}/${env}/${tag}/${pair.session.sessionId}`);
        const { evicted } = pair;
        return evicted.length > 0 ? { ...pairBody(pair), evicted: [...evicted] } : pairBody(pair);
      },
    });

    app.post('/sessions/refresh', {
      config: { permission: 'refresh' },
      schema: {
        operationId: 'refreshSession',
        summary: 'Exchange a refresh token for the next pair',
        description:
          'Within the retry window a replaced refresh token is answered with the same successor again, so two tabs or a lost answer log nobody out. After it the token counts as stolen and the session ends.',
        tags,
        body: refreshBody,
        response: {
          200: {
            ...tokenPair,
            description: 'The next pair of tokens.',
            headers: {
              'Session-Refresh': Type.Unsafe({
                type: 'string',
                enum: ['rotated', 'replayed'],
                description: 'Whether this call rotated the session or an earlier one had.',
              }),
            },
          },
          ...problemResponses(...bodyProblems, 'invalid_refresh_token', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        const { socket } = request.raw;
        const pair = await sessions.refresh(request.caller.scope, {
          ...request.body,
          isAwaited: () => !socket.destroyed && !socket.writableEnded,
        });
        reply.header('session-refresh', pair.outcome);
        return pairBody(pair);
      },
    });

    app.post('/sessions/verify', {
      config: { permission: 'verify' },
      schema: {
        operationId: 'verifyToken',
        summary: 'Ask whether a token is good now',
        description: 'With `product`, `env` or `tag` the token must be for these.',
        tags,
        body: verifyBody,
        response: {
          200: { ...verdict, description: 'The verdict.' },
          ...problemResponses(...bodyProblems, ...guardedProblems),
        },
      },
      handler: async (request) => {
        const judged = await sessions.verify(request.caller.scope, request.body);
        if (!judged.valid) return { valid: false as const, reason: judged.reason };
        const { session, claims } = judged;
        return {
          valid: true as const,
          sessionId: session.sessionId,
          product: session.product,
          env: session.env,
          tag: session.tag,
          data: { userId: session.userId, details: session.details },
          issuedAt: rfc3339(claims.issuedAtSeconds * 1000),
          expiresAt: rfc3339(claims.expiresAtSeconds * 1000),
        };
      },
    });

    app.post('/sessions/revoke', {
      config: { permission: 'revoke' },
      schema: {
        operationId: 'revokeByToken',
        summary: 'End the session of a token or refresh token',
        description:
          'Also for an expired token and for a session already gone: what a logout page has in hand.',
        tags,
        body: revokeBody,
        response: {
          204: Type.Null({ description: 'Done.' }),
          ...problemResponses(...bodyProblems, 'invalid_refresh_token', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        const { token, refreshToken = '' } = request.body;
        const { scope } = request.caller;
        await (token === undefined
          ? sessions.revokeByRefreshToken(scope, refreshToken)
          : sessions.revokeByToken(scope, token));
        return reply.code(204).send(null);
      },
    });
  };
}
