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
  readonly nextCursor?: string;
}

/** Rejects with Refusal `session_not_found`, or Outage. */
export async function readSession(deps: SessionDeps, locator: Locator): Promise<Session> {
  const wellFormed = parseSessionId(locator.sessionId) !== undefined;
  const reading = wellFormed && (await deps.storeClock.learn(() => deps.store.read(locator)));
  if (!reading || reading.session === undefined) throw new Refusal({ code: 'session_not_found' });
  return reading.session;
}

/** What a cursor is bound to, as one text. */
const listName = ({ product, env, tag, userId }: ListInput): string =>
  JSON.stringify([product, env, tag, userId ?? null]);

async function openCursor<Position>(
  deps: SessionDeps,
  input: ListInput,
): Promise<Position | undefined> {
  if (input.cursor === undefined) return undefined;
  const opened = await deps.cursorSealer.open(input.cursor);
  const [list, position] = opened ? (JSON.parse(opened.text) as [string, Position]) : [];
  if (list !== listName(input)) throw new Refusal({ code: 'invalid_cursor' });
  return position;
}

const sealCursor = <Position>(deps: SessionDeps, input: ListInput, position: Position) =>
  deps.cursorSealer.seal(JSON.stringify([listName(input), position]));

/** One page of a tag's sessions, of one user if asked. Rejects with Refusal `invalid_cursor`, or Outage. */
export async function listSessions(deps: SessionDeps, input: ListInput): Promise<SessionList> {
  const { userId } = input;
  const page =
    userId === undefined
      ? await deps.store.listTag({ ...input, after: await openCursor<TagPosition>(deps, input) })
      : await deps.store.listUser({
          ...input,
          userId,
          after: await openCursor<string>(deps, input),
        });
  return page.next === undefined
    ? { sessions: page.sessions }
    : { sessions: page.sessions, nextCursor: await sealCursor(deps, input, page.next) };
}
