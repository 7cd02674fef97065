// Owns asking the service and writing down what came of it. Only the form of an answer is judged here, the rest by the checker.

import { PROBLEM_KINDS } from '../src/http/problem.ts';
import type { Operation, OperationKind, PairFacts, Result } from './history.ts';
import type { JwksCopy } from './jwks-copy.ts';

/** Longer than any answer may take (invariant I7), so that a late one is seen to be late. */
const PATIENCE_MS = 4000;

/** A pair that a life holds. */
export interface HeldPair extends PairFacts {
  readonly token: string;
  readonly refreshToken: string;
  readonly sessionId: string;
}

export interface Answered {
  readonly operation: Operation;
  readonly pair?: HeldPair | undefined;
  /** Of an API key that was made. */
  readonly id?: string | undefined;
}

export interface Question {
  readonly kind: OperationKind;
  readonly life: number;
  readonly instance: number;
  readonly path: string;
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The pair that is presented. */
  readonly presented?: HeldPair | undefined;
  readonly respelled?: boolean;
}

export interface Client {
  ask(question: Question): Promise<Answered>;
  readonly operations: readonly Operation[];
  /** Parts of the tokens that were given out: all but their headers, which read alike. */
  readonly tokenParts: ReadonlySet<string>;
  /** Bodies of all answers that were errors. */
  readonly errorBodies: readonly string[];
  /** What was called and answered: method and path, without the query. */
  readonly calls: ReadonlySet<string>;
}

type Json = Readonly<Record<string, unknown>>;

const decode = (token: string): PairFacts =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as PairFacts;

/** What is wrong with the form of an answer; undefined if nothing is. */
function malformed(response: Response, body: Json): string | undefined {
  if (response.ok) return undefined;
  const type = response.headers.get('content-type') ?? '';
  if (!type.startsWith('application/problem+json')) return `${response.status} as ${type}`;
  const kind = (PROBLEM_KINDS as Readonly<Record<string, { status: number }>>)[
    String(body['code'])
  ];
  if (kind?.status !== response.status) return `${response.status} with code ${body['code']}`;
  return response.status >= 500 && response.status !== 503 ? `${response.status}` : undefined;
}

/** Whether a list of sessions names the one that was asked about. */
const isListed = (body: Json, { presented }: Question): boolean =>
  (body['sessions'] as readonly HeldPair[]).some(
    ({ sessionId }) => sessionId === presented?.sessionId,
  );

function resultOf(
  response: Response,
  body: Json,
  question: Question,
): { result: Result; reason?: string } {
  if (response.status === 503) return { result: 'unknown' };
  if (response.ok && question.kind === 'list' && !isListed(body, question)) {
    return { result: 'refused', reason: 'ended' };
  }
  if (response.ok && body['valid'] !== false) return { result: 'ok' };
  return { result: 'refused', reason: String(body['reason'] ?? body['code']) };
}

/** The user and the mark that all sessions of a life carry, so that no answer can be taken for another's. */
export const userOf = (life: number): string => `life_${life}`;

/** Whether the answer speaks of the life that was asked about. */
function isForeign(body: Json, { kind, life, presented }: Question): boolean {
  const data = body['data'] as { userId?: string; details?: { mark?: number } } | undefined;
  if (data !== undefined && (data.userId !== userOf(life) || data.details?.mark !== life))
    return true;
  if (kind === 'user' && body['userId'] !== userOf(life)) return true;
  const sessionId = body['sessionId'];
  return presented !== undefined && sessionId !== undefined && sessionId !== presented.sessionId;
}

/** `ports`: of the two service processes; read at each call, for a restarted one has another. `keys`: every life has one of them. */
export function createClient(
  ports: () => readonly number[],
  keys: readonly [string, ...string[]],
  jwks: JwksCopy,
): Client {
  const operations: Operation[] = [];
  const tokenParts = new Set<string>();
  const errorBodies: string[] = [];
  const calls = new Set<string>();

  async function judgeForm(response: Response, body: Json, question: Question, pair?: HeldPair) {
    const form = malformed(response, body);
    if (form !== undefined) return { invariant: 'I12' as const, what: form };
    if (response.ok && isForeign(body, question)) {
      return { invariant: 'I10' as const, what: 'an answer about another session' };
    }
    return pair === undefined || (await jwks.verifies(pair.token)) !== false
      ? undefined
      : {
          invariant: 'I13' as const,
          what: 'a token that a young copy of the JWKS does not verify',
        };
  }

  async function settle(question: Question, response: Response, text: string) {
    const body = text === '' ? {} : (JSON.parse(text) as Json);
    const token = response.ok ? (body['token'] as string | undefined) : undefined;
    for (const each of [token, body['refreshToken'] as string | undefined]) {
      for (const part of each?.split('.').slice(1) ?? []) tokenParts.add(part);
    }
    const pair =
      token === undefined ? undefined : ({ ...body, ...decode(token) } as unknown as HeldPair);
    return {
      pair,
      id: body['id'] as string | undefined,
      ...resultOf(response, body, question),
      replayed: response.headers.get('session-refresh') === 'replayed',
      returned: pair && { jti: pair.jti, iat: pair.iat, exp: pair.exp },
      wrong: await judgeForm(response, body, question, pair),
    };
  }

  return {
    operations,
    tokenParts,
    errorBodies,
    calls,
    async ask(question) {
      const { kind, life, instance, path, body, presented, respelled } = question;
      const startedMs = Date.now();
      const request = {
        method: question.method ?? 'POST',
        headers: {
          authorization: `Bearer ${keys[life % keys.length]}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...question.headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      };
      const about = { kind, life, instance, startedMs, presented: presented?.jti, respelled };
      let endedMs = 0;
      try {
        const response = await fetch(`http://127.0.0.1:${ports()[instance]}${path}`, request);
        const text = await response.text();
        endedMs = Date.now();
        if (!response.ok) errorBodies.push(text);
        else calls.add(`${request.method} ${path.replace(/\?.*/, '')}`);
        const { pair, id, ...settled } = await settle(question, response, text);
        const operation = { ...about, endedMs, ...settled };
        operations.push(operation);
        return { operation, pair, id };
      } catch {
        // A closed socket is an answer too: nobody knows what was done.
        const operation: Operation = {
          ...about,
          endedMs: endedMs || Date.now(),
          result: 'unknown',
          givenUp: true,
        };
        operations.push(operation);
        return { operation };
      }
    },
  };
}
