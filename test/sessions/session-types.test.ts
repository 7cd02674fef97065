// Owns the promises of the operations on session types that only odd moments show: lost races, long samples, little time.

import { describe, expect, it } from 'vitest';
import { systemClock, systemPause, systemRandom } from '../../src/sessions/ambient.ts';
import { compileDetailsCheck, schemaFaults } from '../../src/sessions/details-check.ts';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import { Outage } from '../../src/sessions/errors.ts';
import type { Session } from '../../src/sessions/session.ts';
import { createSessionTypes } from '../../src/sessions/session-types.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { sampleSession } from '../support/sessions.ts';
import { createManualClock, DEFAULT_POLICY } from '../support/test-app.ts';

type Deps = Parameters<typeof createSessionTypes>[0];
type ListTag = Deps['sessions']['listTag'];

function open(
  over: Partial<DocumentStore> = {},
  listTag?: ListTag,
  surroundings: Partial<Pick<Deps, 'clock' | 'pause'>> = {},
) {
  const clock = createManualClock();
  const store = { ...createMemoryDocuments(256), ...over };
  const types = createSessionTypes({
    store,
    sessions: { listTag: listTag ?? (async () => ({ sessions: [] })) },
    defaults: DEFAULT_POLICY,
    required: false,
    clock,
    pause: systemPause,
    randomBytes: systemRandom,
    emit: () => undefined,
    ...surroundings,
  });
  return { clock, store, types };
}

describe('a change of a type', () => {
  it('that is overtaken is made on what came instead', async () => {
    const memory = createMemoryDocuments(256);
    let overtaken = false;
    const { types } = open({
      ...memory,
      replaceDocument: (product, tag, current, next) => {
        if (overtaken) return memory.replaceDocument(product, tag, current, next);
        overtaken = true;
        return Promise.resolve('stale');
      },
    });
    expect(await types.put('p', 't', { name: 'a' }, {})).toMatchObject({ outcome: 'created' });
  });

  it('that loses every race is an outage after a bounded number of rounds', async () => {
    const { types } = open({
      readDocument: async () => JSON.stringify({ format: 1, version: 'x', type: {} }),
      replaceDocument: async () => 'stale',
      removeDocument: async () => false,
    });
    await expect(types.put('p', 't', { name: 'a' }, {})).rejects.toThrow(Outage);
    await expect(types.remove('p', 't', {})).rejects.toThrow(Outage);
  });
});

describe('a rehearsal', () => {
  const input = { product: 'p', env: 'e', tag: 't', type: { detailsSchema: { required: ['x'] } } };
  /** A tag of so many sessions, handed out in pages as asked; each page begins with the last session of the one before. */
  const pagesOf = (count: number, onPage: () => void = () => undefined): ListTag => {
    const all: readonly Session[] = Array.from({ length: count }, () => sampleSession());
    return async ({ limit, after }) => {
      onPage();
      const from = after?.bucket ?? 0;
      const sessions = all.slice(Math.max(from - 1, 0), from + limit);
      const end = from + limit;
      const next = end < count ? { bucket: end, expiresAtMs: 0, sessionId: '' } : undefined;
      return { sessions, next };
    };
  };

  it('walks over as many pages as it takes, and counts a session once that it meets twice', async () => {
    const { types } = open({}, pagesOf(250));
    expect(await types.check({ ...input, sample: 1000 })).toEqual({
      sampled: 250,
      breaking: 250,
      faults: [{ pointer: '/x', detail: 'is required', count: 250 }],
    });
  });

  it('ends with what it has when time is short', async () => {
    const { types, clock } = open(
      {},
      pagesOf(250, () => clock.advance(600)),
    );
    const { sampled } = await types.check({ ...input, sample: 1000 });
    expect(sampled).toBeLessThan(250);
    expect(sampled).toBeGreaterThanOrEqual(100);
  });
});

describe('faults of details are named in words of ours where the name matters', () => {
  it.each([
    [
      'a name',
      { propertyNames: { maxLength: 1 } },
      { ab: 1 },
      '/ab',
      'has a name that is not allowed',
    ],
    [
      'what no branch has looked at',
      { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
      { a: 1, b: 1 },
      '/b',
      'is not a known member',
    ],
    ['what must not be', { properties: { a: false } }, { a: 1 }, '/a', 'is not allowed'],
    [
      'what another member demands',
      { dependentRequired: { a: ['b'] } },
      { a: 1 },
      '/b',
      'is required',
    ],
    [
      'what a condition demands',
      { if: { required: ['a'] }, else: { required: ['b'] } },
      {},
      '/b',
      'is required',
    ],
  ])('%s', (_what, schema, details, pointer, detail) => {
    expect(schemaFaults(schema)).toEqual([]);
    expect(compileDetailsCheck(schema)(details)).toEqual([{ pointer, detail }]);
  });

  it('and a reference that is no text is the fault of the schema', () => {
    expect(schemaFaults({ $ref: 1 })[0]?.pointer).toBe('/$ref');
  });

  it.each([[{ $id: 'x' }], [{ minLength: -1 }]])(
    'a schema with faults, %j, cannot be compiled',
    (schema) => {
      expect(() => compileDetailsCheck(schema)).toThrow(TypeError);
    },
  );
});

describe('the rehearsal of a type', () => {
  it('lets others have their turn while it goes through a large sample', async () => {
    const names = Array.from({ length: 140 }, (_, i) => `n${i}`);
    const details = { a: Array.from({ length: 1000 }, () => ({})) };
    const sessions = Array.from({ length: 100 }, () => sampleSession({ details }));
    let pauses = 0;
    const { types } = open({}, async () => ({ sessions }), {
      clock: systemClock,
      pause: async (ms) => {
        pauses++;
        await systemPause(ms);
      },
    });
    const type = { detailsSchema: { properties: { a: { items: { required: names } } } } };
    const report = await types.check({ product: 'p', env: 'e', tag: 't', type, sample: 100 });
    expect(report.breaking).toBe(report.sampled);
    expect(pauses).toBeGreaterThan(0);
  });
});
