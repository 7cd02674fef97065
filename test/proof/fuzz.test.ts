// Owns the short form of the fuzzer, and the proof that its judgement sees what it looks for.

import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { basesOf } from '../../proof/fuzz/bases.ts';
import { fuzz } from '../../proof/fuzz/fuzz.ts';
import { type Case, runGroup } from '../../proof/fuzz/group.ts';
import { judge, readBackFaults } from '../../proof/fuzz/oracle.ts';
import { readState } from '../../proof/fuzz/store-state.ts';
import type { Answer, Wires } from '../../proof/fuzz/wire.ts';
import { startRedis } from '../support/redis-server.ts';

test('5,000 generated bad requests of every class leave no finding', async () => {
  const { table, findings } = await fuzz({ requests: 5000, seed: 20_261_123 });
  expect(findings).toEqual([]);
  for (const [name, { requests }] of Object.entries(table)) {
    expect(requests, `requests of the class ${name}`).toBeGreaterThan(0);
  }
});

const operation = {
  id: 'startSession',
  method: 'POST',
  path: '/sessions',
  parameters: [],
  statuses: new Set([201, 400, 401]),
  mediaTypes: new Set<string>(),
  needsKey: true,
};
const draft = { method: 'POST', target: '/sessions', headers: [], body: Buffer.from('{}') };
const refused = { operation, mutation: { draft, expects: 'refusal' } } as const;

const problem = (members: object): string =>
  JSON.stringify({
    type: 'x',
    title: 'x',
    status: 400,
    detail: 'x',
    code: 'invalid_request',
    ...members,
  });

const answer = (given: Partial<Answer>): Answer => ({
  status: 400,
  headers: new Map([
    ['content-type', 'application/problem+json; charset=utf-8'],
    ['cache-control', 'no-store'],
  ]),
  body: problem({}),
  milliseconds: 1,
  ...given,
});

describe('the judgement', () => {
  test('finds nothing in a good refusal', () => {
    expect(judge(refused, answer({}))).toEqual([]);
  });

  test.each<[string, Partial<Answer>, string]>([
    [
      'a 500',
      { status: 500, body: problem({ status: 500, code: 'internal' }) },
      'the answer is 500',
    ],
    [
      'a page of HTML',
      { headers: new Map([['content-type', 'text/html']]) },
      'not application/problem',
    ],
    ['an unknown code', { body: problem({ code: 'oops' }) }, 'not on the closed list'],
    ['a code of another status', { body: problem({ code: 'not_found' }) }, 'which is 404'],
    ['a body that is no JSON', { body: '<h1>no</h1>' }, 'no problem document'],
    ['a status that the route does not have', { status: 409 }, 'not among those of the route'],
    ['an acceptance', { status: 201, body: '{}' }, 'accepted with 201'],
    ['silence', { status: 0, body: 'closed' }, 'no answer'],
  ])('finds %s', (_, given, what) => {
    expect(judge(refused, answer(given)).join()).toContain(what);
  });

  test('finds the refusal of what must be accepted, and takes a verdict as a refusal', () => {
    const good = { operation, mutation: { draft, expects: 'acceptance' } } as const;
    expect(judge(good, answer({}))).toEqual(['refused with 400']);
    expect(judge(refused, answer({ status: 201, body: '{"valid":false}' }))).toEqual([]);
  });

  test('finds a value that comes back changed', () => {
    const sent = { product: 'a', data: { userId: 'e\u0301', details: { a: [1] } } };
    expect(readBackFaults(sent, structuredClone(sent))).toEqual([]);
    for (const data of [
      { userId: '\u00e9', details: { a: [1] } },
      { userId: 'e\u0301', details: { a: ['1'] } },
      { userId: 'e\u0301', details: { a: [1], b: 1 } },
    ]) {
      expect(readBackFaults(sent, { ...sent, data })).toHaveLength(1);
    }
  });

  test('finds the one refusal of a group that changed a key, and lets an acceptance change it', async () => {
    const server = await startRedis();
    const redis = new Redis(server.url);
    try {
      await redis.set('a', '1');
      const state = await readState(redis);
      const cases = ['quiet', 'guilty', 'accepted'].map((target): Case => {
        const mutation = { draft: { ...draft, target }, expects: 'any' } as const;
        return { class: target, operation, mutation };
      });
      const wires: Wires = {
        sendAll: (requests) =>
          Promise.all(
            requests.map(async ({ bytes }) => {
              const target = bytes.toString().split(' ')[1];
              if (target !== 'quiet') await redis.set(`by-${target}`, '1');
              return answer(target === 'accepted' ? { status: 201, body: '{}' } : {});
            }),
          ),
        close: () => undefined,
      };
      const outcomes = await runGroup(cases, state, { redis, wires, rootKey: '' });
      expect(outcomes.map(({ faults }) => faults)).toEqual([[], ['a refusal changed 1 keys'], []]);
      const [quiet, , accepted] = cases as [Case, Case, Case];
      const others = await runGroup([quiet, accepted], state, { redis, wires, rootKey: '' });
      expect(others.flatMap(({ faults }) => faults)).toEqual([]);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });
});

test('an operation for which no valid request can be made is not passed over', () => {
  const pattern = '^[0-9]{3}$';
  const parameter = { in: 'path', name: 'id', required: true, schema: { type: 'string', pattern } };
  const needs = (one: object) => () =>
    basesOf({ ...operation, parameters: [{ ...parameter, ...one } as never] }, new Map());
  expect(needs({})).toThrow('no good value is known for id');
  expect(needs({ in: 'header' })).toThrow('no base for a parameter in header');
  expect(needs({ example: '123' })()).toHaveLength(1);
});
