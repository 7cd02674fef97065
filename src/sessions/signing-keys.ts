// Owns this instance's copy of the ring of signing keys, and keeps it and the sealed one in the store in step.

import type { JWK } from 'jose';
import type { Clock } from './ambient.ts';
import { Outage } from './errors.ts';
import type { EmitEvent } from './events.ts';
import type { Sealer } from './sealing.ts';
import type { SessionStore } from './session-store.ts';
import {
  chooseSigningKey,
  generateRingKey,
  haveSameKeys,
  importRingKey,
  type KeySchedule,
  needsKey,
  publicJwk,
  publishAheadMs,
  type Ring,
  type SigningAlgorithm,
  type SigningKey,
  type VerificationKey,
  withLostKeys,
  withoutRetired,
} from './signing-ring.ts';
import type { StoreClock } from './store-clock.ts';

/** How often an unknown key id may make this instance read the ring again. */
const LOOK_AGAIN_AFTER_MS = 1000;
const MAX_ATTEMPTS = 10;

export interface SigningKeys {
  /** Brings memory and store in step: loads the ring, creates it, adds the next key when it is time, or keys that the store has lost. Rejects with Outage or RingUnreadable. */
  synchronize(): Promise<void>;
  /** The key that signs now; waits for the store only if none is known yet. */
  current(): SigningKey | Promise<SigningKey>;
  /** The key of that id; an unknown one makes this instance look into the store again, at most once a second. */
  find(kid: string): Promise<VerificationKey | undefined>;
  jwks(): { readonly keys: readonly JWK[] };
  /** How long a copy of it will hold every key that signs: less than usual if this instance has not heard of the store for a while. */
  jwksMaxAgeSeconds(): number;
}

/** The ring in the store was sealed under a SECRET that this instance does not have. Waiting does not help, unlike with other outages. */
export class RingUnreadable extends Outage {
  constructor() {
    super('the ring of signing keys in the store was sealed under another SECRET');
    this.name = 'RingUnreadable';
  }
}

export interface SigningKeysDeps {
  readonly store: Pick<SessionStore, 'readRing' | 'replaceRing'>;
  readonly sealer: Sealer;
  readonly alg: SigningAlgorithm;
  readonly schedule: KeySchedule;
  readonly storeClock: StoreClock;
  readonly clock: Clock;
  readonly emit: EmitEvent;
}

export function createSigningKeys(deps: SigningKeysDeps): SigningKeys {
  const { store, sealer, alg, schedule, storeClock, clock, emit } = deps;
  let ring: Ring = [];
  let imported: ReadonlyMap<string, SigningKey> = new Map();
  let inFlight: Promise<void> | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let synchronizedAtMs = Number.NEGATIVE_INFINITY;

  async function openRing(sealed: string | undefined): Promise<{ ring: Ring; current: boolean }> {
    if (sealed === undefined) return { ring: [], current: false };
    const opened = await sealer.open(sealed);
    if (opened === undefined) throw new RingUnreadable();
    return { ring: JSON.parse(opened.text) as Ring, current: opened.current };
  }

  async function adopt(next: Ring): Promise<void> {
    const keys = new Map<string, SigningKey>();
    for (const key of next) keys.set(key.kid, imported.get(key.kid) ?? (await importRingKey(key)));
    ring = next;
    imported = keys;
  }

  async function synchronizeOnce(): Promise<boolean> {
    const startedMs = clock.monotonicMs();
    const sealed = await store.readRing();
    const stored = await openRing(sealed);
    const nowMs = await storeClock.now();
    const known = withoutRetired(withLostKeys(stored.ring, ring, nowMs, schedule), nowMs);
    const added = needsKey(known, alg, nowMs, schedule)
      ? [await generateRingKey(alg, known, nowMs, schedule)]
      : [];
    const wanted = [...known, ...added];
    // While SECRET is being rolled, instances that differ in which secret comes first seal the ring anew in turn. That harms
    // nobody, for all can open it, and the last of them leaves it under the secret that all agree on.
    if (!haveSameKeys(wanted, stored.ring) || !stored.current) {
      const written = await store.replaceRing(sealed, await sealer.seal(JSON.stringify(wanted)));
      if (!written) return false;
      for (const { kid } of added) emit({ name: 'signing_key_added', kid });
    }
    await adopt(wanted);
    synchronizedAtMs = startedMs;
    return true;
  }

  async function synchronizeWithRetries(): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (await synchronizeOnce()) return;
    }
    throw new Outage('signing ring: changed under every attempt');
  }

  /** One flight at a time: later callers share the one under way. */
  function synchronize(): Promise<void> {
    inFlight ??= synchronizeWithRetries().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  /** Of a ring that is not empty: `synchronize` leaves none that is, and no key of it without its import. */
  const keyAt = (nowMs: number): SigningKey =>
    imported.get(chooseSigningKey(ring, alg, nowMs)?.kid as string) as SigningKey;

  return {
    synchronize,
    current() {
      const nowMs = ring.length === 0 ? synchronize().then(storeClock.now) : storeClock.now();
      return typeof nowMs === 'number' ? keyAt(nowMs) : nowMs.then(keyAt);
    },
    async find(kid) {
      const known = imported.get(kid);
      if (known !== undefined) return known;
      const nowMs = clock.monotonicMs();
      if (inFlight !== undefined || nowMs - lookedAtMs >= LOOK_AGAIN_AFTER_MS) {
        await synchronize();
        // Only a look that succeeded counts: while the store is down, an unknown key stays an outage and never becomes "invalid".
        lookedAtMs = nowMs;
      }
      return imported.get(kid);
    },
    jwks: () => ({ keys: ring.map(publicJwk) }),
    jwksMaxAgeSeconds() {
      // What was made since the last look will not sign before this.
      const goodForMs = synchronizedAtMs + publishAheadMs(schedule) - clock.monotonicMs();
      return Math.min(schedule.jwksMaxAgeSeconds, Math.max(0, Math.floor(goodForMs / 1000)));
    },
  };
}
