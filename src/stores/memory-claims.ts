// Owns the claims of the embedded store: bounded, expiring.

import type { ClaimStore } from '../sessions/claim-store.ts';
import { Outage } from '../sessions/errors.ts';
import type { Locator } from '../sessions/session.ts';

export interface MemoryClaims extends Omit<ClaimStore, 'forbid'> {
  forbid(locator: Locator): void;
  isForbidden(locator: Locator): boolean;
}

const nameOf = ({ product, env, tag, sessionId }: Locator): string =>
  JSON.stringify([product, env, tag, sessionId]);

/** How long a session is forbidden: longer than any start can still be on its way to it. */
const FORBIDDEN_MS = 60_000;

/** At most `most` texts that expire; those that have expired at the front are dropped by every write, all of them when there is no room. */
function createExpiring(nowMs: () => number, most: number) {
  const entries = new Map<string, { readonly text: string; readonly endsAtMs: number }>();
  const get = (name: string) => {
    const entry = entries.get(name);
    return entry && entry.endsAtMs > nowMs() ? entry : undefined;
  };
  /** One that lives longer than those behind it hides them from the write below. */
  function dropExpired(): void {
    for (const [each, { endsAtMs }] of entries) if (endsAtMs <= nowMs()) entries.delete(each);
  }
  return {
    get,
    /** Throws Outage if there is no room for one more. */
    set(name: string, text: string, endsAtMs: number): void {
      for (const [each, { endsAtMs: ends }] of entries) {
        if (ends > nowMs()) break;
        entries.delete(each);
      }
      if (entries.size >= most && !entries.has(name)) dropExpired();
      if (entries.size >= most && !entries.has(name)) throw new Outage('memory store: full');
      entries.set(name, { text, endsAtMs });
    },
    delete: (name: string) => entries.delete(name),
  };
}

/** `most`: claims, and forbidden sessions. */
export function createMemoryClaims(nowMs: () => number, most: number): MemoryClaims {
  const claims = createExpiring(nowMs, most);
  const forbidden = createExpiring(nowMs, most);
  return {
    readClaim: async (name) => claims.get(name)?.text,
    async claim(name, text, ttlMs) {
      const found = claims.get(name);
      if (found === undefined) claims.set(name, text, nowMs() + ttlMs);
      return { text: found?.text ?? text, mine: (found?.text ?? text) === text };
    },
    async replaceClaim(name, current, next) {
      const found = claims.get(name);
      if (found?.text === next) return true;
      if (found?.text !== current) return false;
      if (next === undefined) claims.delete(name);
      else claims.set(name, next, found.endsAtMs);
      return true;
    },
    forbid: (locator) => forbidden.set(nameOf(locator), '', nowMs() + FORBIDDEN_MS),
    isForbidden: (locator) => forbidden.get(nameOf(locator)) !== undefined,
  };
}
