// Owns the promises of schemas: what is refused when put, that nothing stalls, and that each fault of details is named.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { compileDetailsCheck, schemaFaults } from '../../src/sessions/details-check.ts';
import type { JsonObject } from '../../src/sessions/session.ts';

const pointersOf = (schema: JsonObject) => schemaFaults(schema).map(({ pointer }) => pointer);

function deep(levels: number): JsonObject {
  let schema: JsonObject = { type: 'string' };
  for (let level = 1; level < levels; level++) schema = { properties: { a: schema } };
  return schema;
}

/** Definitions that each refer twice to the next: 2^n applications of the last. */
const doubling = (n: number): JsonObject => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries(
    Array.from({ length: n }, (_, i) => {
      const next = { $ref: `#/$defs/d${i + 1}` };
      return [`d${i}`, i === n - 1 ? { type: 'object' } : { allOf: [next, next] }];
    }),
  ),
});

/** Definitions that each refer to the next. */
const chain = (n: number): JsonObject => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries(
    Array.from({ length: n }, (_, i) => [
      `d${i}`,
      i === n - 1 ? { type: 'object' } : { $ref: `#/$defs/d${i + 1}` },
    ]),
  ),
});

const many = (n: number, schema: JsonObject) => Array.from({ length: n }, () => schema);

/** The slowest single run of `work`, in milliseconds. */
function slowest(runs: number, work: () => void): number {
  let worst = 0;
  for (let run = 0; run < runs; run++) {
    const startedMs = performance.now();
    work();
    worst = Math.max(worst, performance.now() - startedMs);
  }
  return worst;
}

/** Milliseconds of this process's CPU in the quickest run of `work`: what the work takes, whatever else the machine does. */
function quickest(runs: number, work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

describe('a schema is refused when it is put, with the place of the fault, if it', () => {
  it.each<[string, JsonObject, string]>([
    ['refers to another document', { $ref: 'https://example.com/s.json' }, '/$ref'],
    [
      'refers to a file',
      { properties: { a: { $ref: 'file:///etc/passwd' } } },
      '/properties/a/$ref',
    ],
    ['refers by a spelling of its own', { $ref: '#/%24defs/a', $defs: { a: {} } }, '/$ref'],
    ['refers to an anchor', { $ref: '#name' }, '/$ref'],
    ['refers to itself whole', { properties: { a: { $ref: '#' } } }, '/properties/a/$ref'],
    ['refers to what is not there', { $ref: '#/$defs/a' }, '/$ref'],
    ['refers to a value that is no schema', { $ref: '#/required', required: ['a'] }, '/$ref'],
    [
      'refers back to itself',
      { $defs: { a: { properties: { b: { $ref: '#/$defs/a' } } } }, $ref: '#/$defs/a' },
      '/$defs/a/properties/b/$ref',
    ],
    ['refers dynamically', { $dynamicRef: '#a' }, '/$dynamicRef'],
    ['names itself', { $id: 'https://example.com/s.json' }, '/$id'],
    ['has an anchor', { $anchor: 'a' }, '/$anchor'],
    ['speaks another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema'],
    ['asks for a format', { properties: { a: { format: 'email' } } }, '/properties/a/format'],
    ['has an unknown keyword', { propertes: {} }, '/propertes'],
    ['has keywords of the wrong type', { minimum: 'one' }, '/minimum'],
    [
      'has a type that does not exist',
      { properties: { a: { type: 'text' } } },
      '/properties/a/type',
    ],
    ['looks ahead', { properties: { a: { pattern: '^(?=a)' } } }, '/properties/a/pattern'],
    ['looks behind', { pattern: '(?<=a)b' }, '/pattern'],
    ['refers back in a pattern', { pattern: '(a)\\1' }, '/pattern'],
    ['has no pattern at all', { pattern: '(' }, '/pattern'],
    [
      'hides a pattern in names',
      { patternProperties: { '(a)\\1': {} } },
      '/patternProperties/(a)\\1',
    ],
    ['repeats repetitions', { pattern: '((a{0,100}){0,10}){0,10}' }, '/pattern'],
    [
      'folds all letters again and again',
      {
        allOf: Array.from({ length: 5 }, (_, i) => ({
          pattern: `(?i)[^\\x{100}-\\x{10ff00}]${i}`,
        })),
      },
      '',
    ],
    ['repeats one thing after another', { pattern: '(?:a?){999}'.repeat(20) }, '/pattern'],
    ['hides a repetition behind a class', { pattern: '(?:x{20}[)]){30}' }, '/pattern'],
    ['hides one in a quotation', { pattern: '\\Q[\\E(?:a?){500}(?:a?){500}]' }, '/pattern'],
    ['repeats what may be absent', { pattern: 'a{1,400}' }, '/pattern'],
    ['repeats for too long', { pattern: '(?:ab){400}' }, '/pattern'],
    [
      'has too many classes of Unicode',
      {
        allOf: Array.from({ length: 3 }, (_, i) => ({
          pattern: `(?i)${'[^\\pL\\pN]'.repeat(5)}${i}`,
        })),
      },
      '',
    ],
    [
      'has too many large patterns',
      { allOf: Array.from({ length: 10 }, () => ({ pattern: 'a{450}' })) },
      '',
    ],
    ['has a condition without a question', { else: { required: ['a'] } }, ''],
    ['has a text for a list', { allOf: 'x' }, '/allOf'],
    ['has an endless pattern', { pattern: 'a'.repeat(257) }, '/pattern'],
    ['is too large', { description: 'x'.repeat(17_000) }, ''],
    ['grows without limit once its references are followed', doubling(30), ''],
    ['says too much', { allOf: many(600, { type: 'string' }) }, ''],
  ])('%s', (_what, schema, pointer) => {
    expect(pointersOf(schema)).toContain(pointer);
  });

  it('is nested more than 16 schemas deep', () => {
    expect(schemaFaults(deep(16))).toEqual([]);
    expect(schemaFaults(deep(17))[0]?.detail).toMatch(/16 schemas deep/);
  });

  it('has many faults, and then names at most 32', () => {
    const schema = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x${i}`, 1]));
    expect(schemaFaults(schema)).toHaveLength(32);
  });
});

describe('a schema may', () => {
  it.each<[string, JsonObject]>([
    ['say nothing', {}],
    ['name its dialect', { $schema: 'https://json-schema.org/draft/2020-12/schema' }],
    [
      'use its own definitions',
      { properties: { a: { $ref: '#/$defs/x~1y' } }, $defs: { 'x/y': { type: 'string' } } },
    ],
    ['use a boolean schema', { properties: { a: false }, additionalProperties: true }],
    [
      'close itself after references',
      {
        $ref: '#/$defs/a',
        unevaluatedProperties: false,
        $defs: { a: { properties: { b: true } } },
      },
    ],
    ['have a pattern for names', { pattern: "^[\\p{L}\\p{M}' .-]{1,64}$" }],
    ['have a pattern for UUIDs', { pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }],
    ['ignore case', { pattern: '(?i)^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,24}$' }],
    ['have a pattern for Unicode', { properties: { a: { pattern: '^\\p{L}+$' } } }],
    [
      'branch',
      { if: { required: ['a'] }, else: { required: ['b'] }, oneOf: [{ required: ['c'] }, {}] },
    ],
    ['have types in a list', { properties: { a: { type: ['string', 'null'] } } }],
  ])('%s', (_what, schema) => {
    expect(schemaFaults(schema)).toEqual([]);
    expect(() => compileDetailsCheck(schema)).not.toThrow();
  });
});

it('schemas that are no longer used leave nothing behind', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const compiled = (): WeakRef<JsonObject> => {
    const schema = { properties: { a: { pattern: '^x+$', enum: ['x', 'xx'] } } };
    expect(compileDetailsCheck(schema)({ a: 'y' })).toHaveLength(2);
    return new WeakRef(schema);
  };
  const refs = Array.from({ length: 20 }, compiled);
  await expect
    .poll(() => {
      collect();
      return refs.filter((ref) => ref.deref() !== undefined).length;
    })
    .toBe(0);
});

describe('details', () => {
  const check = compileDetailsCheck({
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 1, pattern: '^[a-z]+$' },
      'a/b~c': { type: 'integer' },
      list: { type: 'array', items: { type: 'object', required: ['id'] }, uniqueItems: true },
    },
    required: ['name'],
    additionalProperties: false,
  });

  it('that are as the schema says have no fault', () => {
    expect(check({ name: 'abc', list: [{ id: 1 }, { id: 2 }] })).toEqual([]);
  });

  it('have every fault named at its place', () => {
    const faults = check({ 'a/b~c': 1.5, list: [{ id: 1 }, {}], extra: 1, 'x/y': 2 });
    expect(faults.map(({ pointer }) => pointer).sort()).toEqual([
      '/a~1b~0c',
      '/extra',
      '/list/1/id',
      '/name',
      '/x~1y',
    ]);
  });

  it('have equal items found whatever the order of their members', () => {
    expect(
      check({
        name: 'a',
        list: [
          { id: 1, b: 2 },
          { b: 2, id: 1 },
        ],
      }),
    ).toMatchObject([{ pointer: '/list' }]);
  });

  it('have members only if they were sent, whatever objects have by nature', () => {
    const faults = compileDetailsCheck({ required: ['constructor', 'toString'] })({});
    expect(faults.map(({ pointer }) => pointer)).toEqual(['/constructor', '/toString']);
  });

  it('never appear in what is said of them', () => {
    const strict = compileDetailsCheck({
      properties: { a: { const: 1 }, b: { enum: ['x'] }, c: { pattern: '^x$' }, d: { maximum: 1 } },
    });
    const text = JSON.stringify(strict({ a: 'canary', b: 'canary', c: 'canary', d: 987654321 }));
    expect(text).not.toMatch(/canary|987654321/);
  });

  it('have at most 32 faults named, and no endless name sent back', () => {
    const closed = compileDetailsCheck({ additionalProperties: false });
    const names = Array.from({ length: 200 }, (_, i) => [`n${i}`, 1] as const);
    expect(closed(Object.fromEntries(names))).toHaveLength(32);
    expect(closed({ ['n'.repeat(5000)]: 1 })).toEqual([
      { pointer: '', detail: 'is not a known member' },
    ]);
  });
});

describe('no check takes long', () => {
  const evilText = `${'a'.repeat(8000)}!`;
  const numbers = Array.from({ length: 4000 }, () => 1);
  const objects = Array.from({ length: 1000 }, () => ({ a: {} }));
  const names = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`);
  it.each<[string, JsonObject, JsonObject]>([
    [
      'a pattern that backtracks for ever elsewhere',
      { properties: { s: { pattern: '^(a+)+$' } } },
      { s: evilText },
    ],
    ['another', { properties: { s: { pattern: '^(a|a)*$' } } }, { s: evilText }],
    ['a third', { properties: { s: { pattern: '(a*)*(a*)*b' } } }, { s: evilText }],
    [
      'a large automaton',
      { properties: { s: { pattern: '^((a{0,20}){0,10})*$' } } },
      { s: evilText },
    ],
    [
      'hundreds of patterns',
      { additionalProperties: { allOf: many(100, { pattern: '(a|b)*c' }) } },
      { s: evilText },
    ],
    [
      'hundreds of branches for each item',
      { properties: { a: { items: { anyOf: [...many(200, { type: 'string' }), {}] } } } },
      { a: numbers },
    ],
    [
      'hundreds of faults for each item',
      { properties: { a: { items: { allOf: many(200, { type: 'string' }) } } } },
      { a: numbers },
    ],
    [
      'hundreds of names that each item lacks',
      { properties: { a: { items: { required: names(700) } } } },
      { a: objects.slice(0, 340) },
    ],
    [
      'a few names less, and items that many more',
      { properties: { a: { items: { required: names(140) } } } },
      { a: objects },
    ],
    [
      'names that a member asks for',
      { properties: { a: { items: { dependentRequired: { a: names(600) } } } } },
      { a: objects.slice(0, 200) },
    ],
    [
      'branches that fail before the last one fits',
      { properties: { a: { items: { anyOf: [...many(99, { const: 'x' }), {}] } } } },
      { a: numbers.slice(0, 450) },
    ],
    ['items that are all alike', { properties: { a: { uniqueItems: true } } }, { a: objects }],
    ['a long chain of references', chain(250), { a: numbers.slice(0, 400) }],
    ['definitions that double', doubling(6), { a: numbers }],
  ])('%s', (_what, schema, details) => {
    expect(schemaFaults(schema)).toEqual([]);
    const check = compileDetailsCheck(schema);
    // 40 ms when measured alone. Of this process's own CPU, and generous all the same.
    expect(quickest(5, () => check(details))).toBeLessThan(100);
  });

  it('not even to judge or compile the worst schema that is let in', () => {
    const worst = { anyOf: many(330, { type: 'string' }) };
    expect(schemaFaults(worst)).toEqual([]);
    expect(slowest(3, () => compileDetailsCheck(worst))).toBeLessThan(1000);
    expect(slowest(3, () => schemaFaults(doubling(400)))).toBeLessThan(1000);
  });
});
