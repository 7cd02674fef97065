// Owns the deliberately broken variants of the service: each a change of a line or two that must turn a proof red.

/** Replaces `find`, which must be there exactly once, by `put`. */
interface Change {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

export interface Variant {
  readonly name: string;
  readonly changes: readonly Change[];
  /** What must turn red: a fault run by its name, or a test file. */
  readonly proof: { readonly scenario: string } | { readonly test: string };
  /** How long the fault lasts, if it takes its time to show. */
  readonly holdMs?: number;
  /** What the red proof must name, as a pattern. */
  readonly says: string;
}

const REDIS_STORE = 'src/stores/redis/redis-store.ts';
const SCRIPTS = 'src/stores/redis/scripts.ts';

export const variants: readonly Variant[] = [
  {
    name: 'naive theft rule: any replaced token is theft',
    changes: [
      {
        file: 'src/sessions/rotation.ts',
        find: 'presented === session.generation - 1 &&',
        put: 'presented === session.generation &&',
      },
    ],
    proof: { scenario: 'no fault' },
    says: 'I6',
  },
  {
    name: 'lost rotations taken for forgeries',
    changes: [
      {
        file: 'src/sessions/rotation.ts',
        find: "if (!isLive(session, nowMs)) return { kind: 'ended' };",
        put: "if (!isLive(session, nowMs)) return { kind: 'ended' };\n  if (presented > session.generation) return { kind: 'reuse' };",
      },
    ],
    proof: { scenario: 'restored from an older copy' },
    says: 'I6',
  },
  {
    name: 'no end of the retry window',
    changes: [
      {
        file: 'src/sessions/rotation.ts',
        find: 'nowMs - session.refreshedAtMs < retryWindowMs(session, policy)',
        put: 'nowMs > 0 && retryWindowMs(session, policy) > 0',
      },
    ],
    proof: { scenario: 'sessions end by time' },
    says: 'I5',
  },
  {
    name: 'every replay extends the window',
    changes: [
      {
        file: 'src/sessions/refresh-session.ts',
        find: 'written by a call that never learned whether it was safe.\n      if (!(await deps.store.confirm(session, session))) return undefined;\n',
        put: '\n      await deps.store.replace(session, { ...session, refreshedAtMs: nowMs, revision: deps.randomBytes(REVISION_BYTES) });\n',
      },
    ],
    proof: { scenario: 'no fault' },
    says: 'I5',
  },
  {
    name: 'fail-open: in an outage the signature is enough',
    changes: [
      {
        file: 'src/sessions/verify-token.ts',
        find: 'await deps.storeClock.learn(() => deps.store.read(claims));',
        put: 'await deps.storeClock.learn(() => deps.store.read(claims)).catch(() => ({ nowMs: 0, session: { ...claims, details: { mark: Number(claims.userId.slice(5)) } } as unknown as Session }));',
      },
    ],
    proof: { scenario: 'one instance cut off' },
    holdMs: 8000,
    says: 'I2',
  },
  {
    name: 'whoever asks waits as long as a frozen store takes',
    changes: [
      {
        file: 'src/sessions/session-service.ts',
        find: 'const OPERATION_DEADLINE_MS = 1300;',
        put: 'const OPERATION_DEADLINE_MS = 10_000;',
      },
      {
        file: 'src/stores/redis/run-script.ts',
        find: 'const DEADLINE_MS = 1000;',
        put: 'const DEADLINE_MS = 10_000;',
      },
      {
        file: 'src/stores/redis/connect.ts',
        find: 'const SILENCE_MS = 1000;',
        put: 'const SILENCE_MS = 10_000;',
      },
    ],
    proof: { scenario: 'Redis frozen' },
    holdMs: 3500,
    // Later than any deadline would be on a full machine.
    says: 'I7 .* took [34]\\d{3} ms,',
  },
  {
    name: 'fallback to memory in an outage',
    changes: [
      {
        file: REDIS_STORE,
        find: '(outage: unknown) => readBack(session, outage),',
        put: "() => {\n            remembered.set(session.sessionId, session);\n            return ['created'];\n          },",
      },
      {
        file: REDIS_STORE,
        find: '    read: (locator) => readSession(runner, locator),\n',
        put: '    read: (locator) => readSession(runner, locator).catch((error) => {\n      const session = remembered.get(locator.sessionId);\n      if (session === undefined) throw error;\n      return { nowMs: Date.now(), session };\n    }),\n',
      },
      {
        file: REDIS_STORE,
        find: 'export function createRedisStore(',
        put: 'const remembered = new Map<string, Session>();\nexport function createRedisStore(',
      },
    ],
    proof: { scenario: 'Redis killed' },
    says: 'I1',
  },
  {
    name: 'tombstone instead of deletion',
    changes: [
      {
        file: SCRIPTS,
        find: "local removed = redis.call('UNLINK', unpack(KEYS, 8))",
        put: "local removed = redis.call('EXISTS', KEYS[8])\nif removed == 1 then redis.call('SET', KEYS[8], '', 'KEEPTTL') end",
      },
      {
        file: 'src/stores/redis/reading.ts',
        find: 'if (!Buffer.isBuffer(record) || isForbidden(record)) return undefined;',
        put: 'if (!Buffer.isBuffer(record) || record.length === 0) return undefined;',
      },
    ],
    proof: { scenario: 'no fault' },
    says: 'I11',
  },
  {
    name: 'check, then act: rotation without compare-and-swap',
    changes: [
      {
        file: SCRIPTS,
        find: "if head ~= ARGV[8] or now >= tonumber(ARGV[9]) then return 'stale' end",
        put: '',
      },
    ],
    proof: { scenario: 'no fault' },
    says: 'I2',
  },
  {
    name: 'a write that was sent twice is taken for another',
    changes: [
      {
        file: SCRIPTS,
        find: "if written then return {'created'} end",
        put: '',
      },
    ],
    proof: { test: 'test/stores/redis-store.test.ts' },
    says: 'says created again when a create is sent twice',
  },
  {
    name: 'indexes are never trimmed',
    changes: [
      {
        file: 'src/stores/redis/index-lua.ts',
        find: "  if #dead > 0 then redis.call('ZREM', index, unpack(dead)) end",
        put: '',
      },
    ],
    proof: { test: 'test/stores/redis-store.test.ts' },
    says: 'drops the expired members of its indexes',
  },
  {
    name: 'a create is sent again when its reply was lost',
    changes: [
      {
        file: 'src/stores/redis/connect.ts',
        find: 'connectRedis(target, onTrouble, once)',
        put: 'connectRedis(target, onTrouble, patient)',
      },
    ],
    proof: { test: 'test/faults/lost-reply.test.ts' },
    says: 'is sent once, looked for, and answered as good',
  },
  {
    name: 'a refresh that lost a race takes its holder for a thief',
    changes: [
      {
        file: 'src/sessions/refresh-session.ts',
        find: '() => round === 0 && !deadline.passed',
        put: '() => round >= 0',
      },
    ],
    proof: { test: 'test/sessions/operations.test.ts' },
    says: 'takes nobody for a thief who was answered elsewhere',
  },
  {
    name: 'the limit of sessions is not part of the write',
    changes: [
      {
        file: SCRIPTS,
        find: 'excess = math.max(excess, 0)',
        put: 'excess, oldest = 0, {}',
      },
      {
        file: SCRIPTS,
        find: "if excess > 0 and ARGV[10] == 'reject' then return {'limit_reached'} end",
        put: '',
      },
    ],
    proof: { test: 'test/stores/redis-store.test.ts' },
    says: 'when 50 start at once',
  },
  {
    name: 'what is known of an API key never ages',
    changes: [
      {
        file: 'src/sessions/text-cache.ts',
        find: 'if (entry !== undefined && ageMs < FRESH_FOR_MS) return entry.value;',
        put: 'if (entry !== undefined) return entry.value;',
      },
    ],
    proof: { test: 'test/http/api-key-instances.test.ts' },
    says: 'refused within 5 s at one that did not ask',
  },
  {
    name: 'an erased user stays in the numbers',
    changes: [
      {
        file: 'src/stores/redis/user-lua.ts',
        find: "    redis.call('HSET', records, '#', count(counters_of(records), first_seen, -1, -sessions))",
        put: '',
      },
    ],
    proof: { test: 'test/stores/redis-store.test.ts' },
    says: 'plain recount',
  },
  {
    name: 'indexes outlive their last member',
    changes: [
      {
        file: 'src/stores/redis/index-lua.ts',
        find: "  if last[2] then redis.call('PEXPIREAT', index, last[2]) end",
        put: '  if last[2] then return end',
      },
    ],
    proof: { test: 'test/stores/redis-store.test.ts' },
    says: 'gives every key of a session a time to live',
  },
  {
    name: 'revocation as a list of token texts',
    changes: [
      {
        file: 'src/sessions/revoke-session.ts',
        find: '  await revokeSession(deps, claims);\n',
        put: '  revokedTexts.add(token);\n',
      },
      {
        file: 'src/sessions/revoke-session.ts',
        find: '/** Ends the session of a token, expired or not.',
        put: 'export const revokedTexts = new Set<string>();\n\n/** Ends the session of a token, expired or not.',
      },
      {
        file: 'src/sessions/verify-token.ts',
        find: "  if (session === undefined) return { valid: false, reason: 'ended' };",
        put: "  if (session === undefined || revokedTexts.has(input.token)) return { valid: false, reason: 'ended' };",
      },
      {
        file: 'src/sessions/verify-token.ts',
        find: "import { covers, type Scope } from './scope.ts';",
        put: "import { revokedTexts } from './revoke-session.ts';\nimport { covers, type Scope } from './scope.ts';",
      },
    ],
    proof: { scenario: 'no fault' },
    says: 'I2',
  },
  {
    name: 'index in another slot than its records',
    changes: [
      {
        file: 'src/stores/redis/keys.ts',
        find: 'return `user:$',
        put: 'return `user:{}$',
      },
    ],
    proof: { test: 'test/stores/redis-cluster-store.test.ts' },
    says: 'gives each back as it was put in',
  },
  {
    name: 'the answer of WAIT is not looked at',
    changes: [
      {
        file: 'src/stores/redis/run-script.ts',
        find: 'if (Number(replies.at(-1)) < replicas)',
        put: 'if (Number(replies.at(-1)) < 0)',
      },
    ],
    proof: { test: 'test/faults/replicas.test.ts' },
    says: 'replica .killed.*no write is acknowledged',
  },
  {
    name: 'a session moves on before its replicas were missed',
    changes: [
      {
        file: 'src/sessions/refresh-session.ts',
        find: '      if (!(await deps.store.confirm(session, session))) return undefined;\n      const rotated',
        put: '      const rotated',
      },
    ],
    proof: { test: 'test/faults/replicas.test.ts' },
    says: 'replica .killed.*is not logged out',
  },
  {
    name: 'the clock of the instance instead of that of the store',
    changes: [
      {
        file: 'src/sessions/store-clock.ts',
        find: 'Math.floor(clock.monotonicMs() + offset);',
        put: 'offset === 0 ? 0 : clock.wallMs();',
      },
    ],
    proof: { scenario: 'clock of one instance +5s' },
    says: 'I14',
  },
  {
    name: 'details written to the log',
    changes: [
      {
        file: 'src/http/observe.ts',
        find: 'from: request.ip,',
        put: 'from: request.ip,\n        note: JSON.stringify(request.body),',
      },
    ],
    proof: { test: 'test/proof/secrets.test.ts' },
    says: 'no secret is written anywhere',
  },
  {
    name: 'the names of starts stand in the store as they were sent',
    changes: [
      {
        file: 'src/sessions/idempotent-start.ts',
        find: 'const name = digest(start.clientId, key);',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a line of the broken program
        put: 'const name = `${start.clientId}:${key}`;',
      },
    ],
    proof: { scenario: 'no fault' },
    says: 'secrets',
  },
  {
    name: 'the scope of a caller is not checked',
    changes: [
      {
        file: 'src/sessions/scope.ts',
        find: 'scope.product === place.product',
        put: "place.product !== ''",
      },
    ],
    proof: { test: 'test/proof/authorization-matrix.test.ts' },
    says: 'every cell is answered as the policy says, a refused one leaves no trace',
  },
  {
    name: 'a wrong proof ends the session',
    changes: [
      {
        file: 'src/sessions/refresh-session.ts',
        find: "presented.proof)) throw refuse('invalid');",
        put: "presented.proof)) {\n    await deps.store.remove(session);\n    throw refuse('invalid');\n  }",
      },
    ],
    proof: { test: 'test/sessions/operations.test.ts' },
    says: "whose proof is not the session's own",
  },
  {
    name: 'a key whose session has ended starts another',
    changes: [
      {
        file: 'src/sessions/idempotent-start.ts',
        find: "if (claim.written) throw new Refusal({ code: 'idempotency_key_expired' });",
        put: '',
      },
    ],
    proof: { test: 'test/http/idempotent-start.test.ts' },
    says: 'nothing comes back to life',
  },
  {
    name: 'a new key signs before every copy of the JWKS can know it',
    changes: [
      {
        file: 'src/sessions/signing-ring.ts',
        find: '(jwksMaxAgeSeconds + 60) * 1000',
        put: 'jwksMaxAgeSeconds * 0',
      },
    ],
    proof: { test: 'test/sessions/signing-keys.test.ts' },
    says: 'signs only when every copy of the JWKS can know it',
  },
];
