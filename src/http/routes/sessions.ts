// Owns the routes of sessions: start, refresh, verify, revoke, read, list.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { revisionText } from '../../sessions/session.ts';
import type { SessionService } from '../../sessions/session-service.ts';
import type { TokenPair } from '../../sessions/token-pair.ts';
import { requireScope } from '../caller.ts';
import { etagOf, preconditionOf } from '../conditions.ts';
import {
  guardedProblems,
  ifMatchHeaders,
  listQuery,
  placeParams,
  problemResponses,
  refreshBody,
  revokeBody,
  sessionList,
  sessionParams,
  sessionPatch,
  sessionView,
  startBody,
  startedPair,
  startHeaders,
  tokenPair,
  verdict,
  verifyBody,
} from '../schemas.ts';
import { page, rfc3339, sessionBody } from '../session-body.ts';

export interface SessionRoutesDeps {
  readonly sessions: SessionService;
  readonly detailsMaxBytes: number;
}

const DEFAULT_PAGE = 20;

const pairBody = ({ token, refreshToken, session }: TokenPair) => ({
  token,
  refreshToken,
  sessionId: session.sessionId,
  expiresAt: rfc3339(session.tokenExpiresAtSeconds * 1000),
  refreshExpiresAt: rfc3339(session.expiresAtMs),
});

const withBody = ['invalid_request', 'content_too_large', 'unsupported_media_type'] as const;
const tags = ['sessions'];
const etag = { ETag: Type.String({ description: 'For `If-Match`.' }) };
const MERGE_PATCH = 'application/merge-patch+json';
const noContent = Type.Null({ description: 'Done.' });

export function sessionRoutes({
  sessions,
  detailsMaxBytes,
}: SessionRoutesDeps): FastifyPluginAsyncTypebox {
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
            ...withBody,
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
          : sessions.startOnce({ ...start, key }));
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
          ...problemResponses(...withBody, 'invalid_refresh_token', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        const pair = await sessions.refresh(request.caller.scope, request.body);
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
          ...problemResponses(...withBody, ...guardedProblems),
        },
      },
      handler: async (request) => {
        const judged = await sessions.verify(request.caller.scope, request.body);
        if (!judged.valid) return { valid: false, reason: judged.reason };
        const { session, claims } = judged;
        return {
          valid: true,
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
          204: noContent,
          ...problemResponses(...withBody, 'invalid_refresh_token', ...guardedProblems),
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

    app.get('/sessions/:product/:env/:tag/:sessionId', {
      config: { permission: 'read' },
      schema: {
        operationId: 'readSession',
        summary: 'Read a session',
        tags,
        params: sessionParams,
        response: {
          200: { ...sessionView, description: 'The session, never its tokens.', headers: etag },
          ...problemResponses('invalid_request', 'session_not_found', ...guardedProblems),
        },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        const session = await sessions.read(request.params);
        reply.header('etag', etagOf(revisionText(session)));
        return sessionBody(session);
      },
    });

    app.patch('/sessions/:product/:env/:tag/:sessionId', {
      config: { permission: 'issue', mediaTypes: [MERGE_PATCH] },
      schema: {
        operationId: 'changeDetails',
        summary: 'Change the details of a live session',
        description:
          'A JSON Merge Patch (RFC 7396): null removes a member. verify shows the change at once; nothing else of the session changes.',
        tags,
        consumes: ['application/json', MERGE_PATCH],
        params: sessionParams,
        headers: ifMatchHeaders,
        body: sessionPatch,
        response: {
          200: { ...sessionView, description: 'The session as it is now.', headers: etag },
          ...problemResponses(
            ...withBody,
            'session_not_found',
            'precondition_failed',
            ...guardedProblems,
          ),
        },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        const session = await sessions.changeDetails(request.params, {
          patch: request.body.data.details,
          ifMatch: preconditionOf(request.headers).ifMatch,
        });
        reply.header('etag', etagOf(revisionText(session)));
        return sessionBody(session);
      },
    });

    app.delete('/sessions/:product/:env/:tag/:sessionId', {
      config: { permission: 'revoke' },
      schema: {
        operationId: 'revokeSession',
        summary: 'End a session',
        description: 'Also when it is already gone.',
        tags,
        params: sessionParams,
        response: { 204: noContent, ...problemResponses('invalid_request', ...guardedProblems) },
      },
      handler: async (request, reply) => {
        requireScope(request, request.params);
        await sessions.revoke(request.params);
        return reply.code(204).send(null);
      },
    });

    app.get('/sessions/:product/:env/:tag', {
      config: { permission: 'read' },
      schema: {
        operationId: 'listSessions',
        summary: 'List the sessions of a tag',
        description:
          'Of one user, newest first; of all users, in no particular order, missing no live session and possibly repeating one that was refreshed meanwhile.',
        tags,
        params: placeParams,
        querystring: listQuery,
        response: {
          200: { ...sessionList, description: 'A page of sessions.' },
          ...problemResponses('invalid_request', ...guardedProblems),
        },
      },
      handler: async (request) => {
        requireScope(request, request.params);
        const { limit = DEFAULT_PAGE, ...query } = request.query;
        const listed = await sessions.list({ ...request.params, ...query, limit });
        return page({ sessions: listed.sessions.map(sessionBody) }, listed.nextCursor);
      },
    });
  };
}
