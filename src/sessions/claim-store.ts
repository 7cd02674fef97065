// Owns the port to claims on idempotency keys: small texts that expire, changed by compare-and-swap, each in a slot of its own.

import type { Locator } from './session.ts';

export interface Claimed {
  /** What the claim says: what was put in, or what was there before. */
  readonly text: string;
  readonly mine: boolean;
}

/** Rejects with `Outage` as the port of sessions does; all operations are harmless when executed twice. */
export interface ClaimStore {
  /** What a claim says; undefined if there is none. */
  readClaim(name: string): Promise<string | undefined>;
  /** Puts a claim that expires after `ttlMs`, unless there is one. One that is found to say the same counts as put by this call. */
  claim(name: string, text: string, ttlMs: number): Promise<Claimed>;
  /** Replaces a claim if it still says `current`, and keeps its expiry; removes it if there is no `next`. */
  replaceClaim(name: string, current: string, next: string | undefined): Promise<boolean>;
  /** Makes sure that a session that does not exist cannot be created any more. False if it exists. */
  forbid(locator: Locator): Promise<boolean>;
}
