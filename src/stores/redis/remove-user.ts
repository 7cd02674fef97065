// Owns the end of many sessions of one user: found in slices and removed in groups, so that nobody waits long behind them in Redis.

import { Outage } from '../../sessions/errors.ts';
import type { Locator, UserRef } from '../../sessions/session.ts';
import type { UserRemoval } from '../../sessions/session-store.ts';
import { locateUser } from './indexes.ts';
import { writeKeys } from './keys.ts';
import type { RunScript, ScriptRunner } from './run-script.ts';
import type { ScriptCall } from './script-command.ts';

/** Sessions removed at once; between two such groups Redis lets other work have its turn. */
const REMOVE_AT_ONCE = 50;
/** Groups under way at a time: one after the other, a user with 10,000 sessions would take two hundred round trips to a busy service. */
const GROUPS_AT_ONCE = 40;
const MAX_PASSES = 16;

type NonEmpty<T> = [T, ...T[]];

function byTag<T extends { readonly tag: string }>(all: readonly T[]): NonEmpty<T>[] {
  const groups = new Map<string, NonEmpty<T>>();
  for (const each of all) {
    const group = groups.get(each.tag);
    if (group === undefined) groups.set(each.tag, [each]);
    else group.push(each);
  }
  return [...groups.values()];
}

const inGroups = <T>(all: readonly T[], size: number): NonEmpty<T>[] =>
  Array.from(
    { length: Math.ceil(all.length / size) },
    (_, i) => all.slice(i * size, (i + 1) * size) as NonEmpty<T>,
  );

/** The removal of sessions of one user and one tag. */
export const removalOf = (
  all: Readonly<NonEmpty<Locator & UserRef>>,
  retentionMs: number,
): ScriptCall => ({
  keys: writeKeys(...all),
  args: [all[0].tag, all[0].userId, retentionMs, ...all.map(({ sessionId }) => sessionId)],
});

async function removeAll(
  { runDurably }: ScriptRunner,
  retentionMs: number,
  sessions: readonly (Locator & UserRef)[],
): Promise<number> {
  let count = 0;
  for (const group of byTag(sessions)) {
    const removals = inGroups(group, REMOVE_AT_ONCE).map((some) => removalOf(some, retentionMs));
    for (const some of inGroups(removals, GROUPS_AT_ONCE)) {
      for (const removed of await runDurably('remove', ...some)) count += Number(removed);
    }
  }
  return count;
}

/**
 * Ends all sessions that were live when this was called, and maybe some that have started since; returns how many it has ended itself. A pass over more sessions than are
 * read at once can miss one that moves to an earlier place meanwhile, as a refresh under a shortened type makes it. No refresh does that
 * twice in a row, so two passes that find nothing are enough. Rejects with Outage.
 */
export async function removeUser(
  runner: ScriptRunner,
  retentionMs: number,
  { except, ...user }: UserRemoval,
): Promise<number> {
  // What is not found must be gone for good: the call before may have removed it and died before it learned whether that was safe.
  const readDurably: RunScript = async (name, keys, args = []) =>
    (await runner.runDurably(name, { keys, args }))[0];
  let count = 0;
  let foundNothing = 0;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const { located, ofOneMoment } = await locateUser(readDurably, user);
    const ending = located.filter(({ sessionId }) => sessionId !== except);
    count += await removeAll(
      runner,
      retentionMs,
      ending.map((at) => ({ ...at, userId: user.userId })),
    );
    foundNothing = ending.length === 0 ? foundNothing + 1 : 0;
    if (ofOneMoment || foundNothing === 2) return count;
  }
  throw new Outage('remove user: sessions started faster than they could be ended');
}
