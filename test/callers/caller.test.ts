// Owns the proof that nobody hands on more than it has: whatever a key that was made may reach, its maker may reach.

import { expect, it } from 'vitest';
import { type Caller, holds, type Permission } from '../../src/callers/caller.ts';
import { covers, type Scope } from '../../src/sessions/scope.ts';

const NAMES = ['a', 'b'];
const ANY_OR_ONE = [undefined, ...NAMES];
const TAGS = [undefined, ['a'], ['b'], ['a', 'b'], ['b', 'a'], ['a', 'a']];

const scopes: readonly Scope[] = ANY_OR_ONE.flatMap((product) =>
  ANY_OR_ONE.flatMap((env) =>
    TAGS.map((tags) => ({
      ...(product === undefined ? {} : { product }),
      ...(env === undefined ? {} : { env }),
      ...(tags === undefined ? {} : { tags }),
    })),
  ),
);
/** With a third name, for all that no scope names; without tag: a place as a whole. */
const places = [...NAMES, 'c'].flatMap((product) =>
  [...NAMES, 'c'].flatMap((env) =>
    [...NAMES, 'c', undefined].map((tag) => ({ product, env, tag })),
  ),
);

const callerOf = (scope: Scope, ...permissions: Permission[]): Caller => ({
  id: 'maker',
  permissions: new Set(permissions),
  scope,
});

it('a scope may be handed on exactly if its maker covers every place in it', () => {
  const wrong = scopes.flatMap((own) =>
    scopes
      .filter((given) => {
        const lies = places.every((place) => !covers(given, place) || covers(own, place));
        return holds(callerOf(own, 'issue'), { permissions: ['issue'], scope: given }) !== lies;
      })
      .map((given) => ({ own, given })),
  );
  expect(wrong).toEqual([]);
  expect(scopes).toHaveLength(54);
});

it('a permission may be handed on only by who has it, the one to make keys among them', () => {
  const maker = callerOf({}, 'admin', 'issue');
  const gives = (...permissions: Permission[]) => holds(maker, { permissions, scope: {} });
  expect(gives('admin', 'issue')).toBe(true);
  expect(gives('issue')).toBe(true);
  expect(gives('issue', 'read')).toBe(false);
  expect(gives('metrics')).toBe(false);
});
