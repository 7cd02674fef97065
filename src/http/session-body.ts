// Owns how a session is shown: read, listed, among those of a user.

import type { Session } from '../sessions/session.ts';
import { rfc3339 } from './moment.ts';

/** Everything of a session but its tokens and what they are made of. */
export const sessionBody = (session: Session) => ({
  sessionId: session.sessionId,
  product: session.product,
  env: session.env,
  tag: session.tag,
  data: { userId: session.userId, details: session.details },
  createdAt: rfc3339(session.createdAtMs),
  refreshedAt: rfc3339(session.refreshedAtMs),
  lastSeenAt: rfc3339(session.refreshedAtMs),
  refreshCount: session.generation,
  expiresAt: rfc3339(session.expiresAtMs),
  absoluteExpiresAt: rfc3339(session.absoluteExpiresAtMs),
  ...(session.client === undefined ? {} : { client: session.client as object }),
});

/** The members of a page: `nextCursor` only if there is one. */
export const page = <Items extends object>(items: Items, nextCursor: string | undefined) =>
  nextCursor === undefined ? items : { ...items, nextCursor };
