// Owns the promise that every operation of the contract has its place in the fault runs, or a reason why it has none.

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Habit, WEIGHTS } from '../../proof/lives.ts';

type Place =
  | { readonly habits: readonly Habit[] }
  /** Done by every run, before people live, while they are watched, or afterwards. */
  | { readonly done: string }
  | { readonly exempt: string };

const operated = {
  done: 'an operator makes, reads, changes and removes a type and a key, round after round',
};
const PLACES: Readonly<Record<string, Place>> = {
  startSession: { done: 'each life begins with it, every third under an idempotency key' },
  refreshSession: { habits: ['refresh', 'twoTabs', 'retry', 'stolen'] },
  verifyToken: { habits: ['verify'] },
  revokeByToken: { habits: ['leave', 'leaveInHaste'] },
  revokeSession: { habits: ['leave', 'leaveInHaste'] },
  readSession: { habits: ['read'] },
  changeDetails: { habits: ['change', 'leaveInHaste'] },
  listSessions: { habits: ['list'] },
  listUsers: { habits: ['numbers'] },
  readStats: { habits: ['numbers'] },
  readUser: { habits: ['readUser'] },
  revokeUserSessions: { habits: ['leaveEverywhere'] },
  eraseUser: { done: 'all users are erased at the end' },
  putSessionType: { done: 'the tag of the lives has a type: claims, a limit with eviction' },
  createApiKey: { done: 'every second life has a stored key' },
  readKeys: { done: 'a copy of the JWKS is kept as long as its max-age allows (I13)' },
  readSessionType: operated,
  removeSessionType: operated,
  listSessionTypes: operated,
  checkSessionType: operated,
  listApiKeys: operated,
  readApiKey: operated,
  revokeApiKey: operated,
  rotateApiKey: operated,
  readMetrics: { exempt: 'asks no store' },
  readMetadata: { exempt: 'asks no store' },
  readDiscovery: { exempt: 'asks no store' },
  live: { exempt: 'asks no store; the drained instance is asked for it' },
  ready: { exempt: 'each start of a process waits for its port, which opens when it is ready' },
};

it('every operation has a place in the fault runs', async () => {
  const document = parse(await readFile('openapi.yaml', 'utf8')) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { operationId?: string }>>>>;
  };
  const operations = Object.values(document.paths)
    .flatMap((path) => Object.values(path))
    .flatMap(({ operationId }) => operationId ?? []);
  expect([...operations].sort()).toEqual(Object.keys(PLACES).sort());
  const habits = WEIGHTS.flatMap(([habit, weight]) => (weight > 0 ? [habit] : []));
  for (const [operation, place] of Object.entries(PLACES)) {
    const named = 'habits' in place ? place.habits : [];
    for (const habit of named) expect(habits, operation).toContain(habit);
  }
});
