// Owns reading and listing; a cursor is sealed together with the list it belongs to, so it opens in no other.

import { Refusal } from './errors.ts';
import type { Locator, Session } from './session.ts';
import type { SessionDeps } from './session-deps.ts';
import { parseSessionId } from './session-id.ts';
import type { TagPosition } from './session-store.ts';

export interface ListInput {
  readonly product: string;
  readonly env: string;
  readonly tag: string;
  readonly userId?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface SessionList {
  readonly sessions: readonly Session[];
  readonly nextCursor?: string | undefined;
}

/** Rejects with Refusal `session_not_found`, or Outage. */
export async function readSession(deps: SessionDeps, locator: Locator): Promise<Session> {
  const wellFormed = parseSessionId(locator.sessionId) !== undefined;
  const reading = wellFormed && (await deps.storeClock.learn(() => deps.store.read(locator)));
  if (!reading || reading.session === undefined) throw new Refusal({ code: 'session_not_found' });
  return reading.session;
}

/** Where the page before ended, if a cursor is given; `list` names the list that it is bound to. Rejects with Refusal `invalid_cursor`. */
export async function openCursor<Position>(
  deps: SessionDeps,
  list: readonly unknown[],
  cursor: string | undefined,
): Promise<Position | undefined> {
  if (cursor === undefined) return undefined;
  const opened = await deps.cursorSealer.open(cursor);
  const [name, position] = opened ? (JSON.parse(opened.text) as [unknown, Position]) : [];
  if (JSON.stringify(name) !== JSON.stringify(list)) throw new Refusal({ code: 'invalid_cursor' });
  return position;
}

/** The cursor of the next page, if there is one. */
export const sealCursor = async <Position>(
  deps: SessionDeps,
  list: readonly unknown[],
  position: Position | undefined,
): Promise<string | undefined> =>
  position === undefined ? undefined : deps.cursorSealer.seal(JSON.stringify([list, position]));

/** One page of a tag's sessions, of one user if asked. Rejects with Refusal `invalid_cursor`, or Outage. */
export async function listSessions(deps: SessionDeps, input: ListInput): Promise<SessionList> {
  const { product, env, tag, userId, cursor } = input;
  const list = ['sessions', product, env, tag, userId ?? null];
  const page =
    userId === undefined
      ? await deps.store.listTag({
          ...input,
          after: await openCursor<TagPosition>(deps, list, cursor),
        })
      : await deps.store.listUser({
          ...input,
          userId,
          after: await openCursor<string>(deps, list, cursor),
        });
  return { sessions: page.sessions, nextCursor: await sealCursor(deps, list, page.next) };
}
