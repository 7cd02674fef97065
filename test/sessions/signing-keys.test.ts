// Owns the promises of the ring of signing keys: one ring for all instances, whatever happens to it, and no early or lost key.

import { beforeEach, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/sessions/ambient.ts';
import { Outage } from '../../src/sessions/errors.ts';
import { createSealer } from '../../src/sessions/sealing.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import { createSigningKeys, RingUnreadable } from '../../src/sessions/signing-keys.ts';
import {
  chooseSigningKey,
  importRingKey,
  type SigningAlgorithm,
} from '../../src/sessions/signing-ring.ts';
import { createStoreClock } from '../../src/sessions/store-clock.ts';
import { createMemoryStore } from '../../src/stores/memory-store.ts';
import { RETENTION_MS } from '../support/sessions.ts';
import { createManualClock, type ManualClock } from '../support/test-app.ts';

const OLD = 'old-secret-of-at-least-32-bytes-long';
const NEW = 'new-secret-of-at-least-32-bytes-long';

let clock: ManualClock;
let store: SessionStore;
let reads: number;
let down: boolean;
beforeEach(() => {
  clock = createManualClock();
  store = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 10,
    userRetentionMs: RETENTION_MS,
  });
  reads = 0;
  down = false;
});

function instance(
  secrets: readonly string[] = [OLD],
  alg: SigningAlgorithm = 'ES256',
  rotationSeconds = 0,
) {
  const observed = {
    readRing: async () => {
      reads++;
      if (down) throw new Outage('readRing: down');
      return store.readRing();
    },
    replaceRing: (current: string | undefined, next: string) => store.replaceRing(current, next),
  };
  return createSigningKeys({
    store: observed,
    sealer: createSealer(secrets, 'signing-ring', systemRandom),
    alg,
    schedule: { jwksMaxAgeSeconds: 300, rotationSeconds },
    storeClock: createStoreClock(clock, store.now),
    clock,
    emit: () => undefined,
  });
}

const kids = (keys: ReturnType<typeof instance>) => keys.jwks().keys.map(({ kid }) => kid);
/** What FLUSHALL does. */
const emptyStore = () => {
  store = createMemoryStore({
    nowMs: clock.wallMs,
    maxSessions: 10,
    userRetentionMs: RETENTION_MS,
  });
};

describe('the ring of signing keys', () => {
  it('is one for ten instances that start together on an empty store', async () => {
    const instances = Array.from({ length: 10 }, () => instance());
    await Promise.all(instances.map((keys) => keys.synchronize()));
    const rings = instances.map((keys) => kids(keys).join());
    expect(new Set(rings).size).toBe(1);
    expect(instances[0]?.jwks().keys).toHaveLength(1);
  });

  it('is made at the first need if nobody asked before', async () => {
    const keys = instance();
    const { kid, alg } = await keys.current();
    expect(alg).toBe('ES256');
    expect(kids(keys)).toEqual([kid]);
  });

  it('shows the world public members only', async () => {
    for (const alg of ['ES256', 'EdDSA', 'RS256'] as const) {
      const keys = instance([OLD], alg);
      await keys.synchronize();
      for (const jwk of keys.jwks().keys) {
        for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])
          expect(jwk).not.toHaveProperty(secret);
      }
    }
  });

  it('gets back the keys that the store lost', async () => {
    const [a, b] = [instance(), instance()];
    await a.synchronize();
    emptyStore();
    await b.synchronize();
    await a.synchronize();
    await b.synchronize();
    expect(kids(a)).toHaveLength(2);
    expect([...kids(b)].sort()).toEqual([...kids(a)].sort());
  });

  it('goes on signing with keys that verifiers know when a newcomer has made one of its own on an emptied store', async () => {
    const [old, newcomer] = [instance(), instance()];
    await old.synchronize();
    const known = kids(old);
    emptyStore();
    clock.advance(1000);
    await newcomer.synchronize();
    await old.synchronize();
    await newcomer.synchronize();
    for (const keys of [old, newcomer]) expect(known).toContain((await keys.current()).kid);
    clock.advance(360_000);
    for (const keys of [old, newcomer]) expect(known).not.toContain((await keys.current()).kid);
  });

  it('cannot be read under another SECRET, and is then left as it is', async () => {
    await instance([OLD]).synchronize();
    const sealed = await store.readRing();
    await expect(instance([NEW]).synchronize()).rejects.toThrow(RingUnreadable);
    expect(await store.readRing()).toBe(sealed);
  });

  it('survives a SECRET rolled in three steps, even if an instance of the step before starts last', async () => {
    const first = instance([OLD]);
    await first.synchronize();
    await instance([OLD, NEW]).synchronize();
    const step2 = instance([NEW, OLD]);
    await step2.synchronize();
    await instance([OLD, NEW]).synchronize();
    await step2.synchronize();
    const sealed = await store.readRing();
    await step2.synchronize();
    expect(await store.readRing()).toBe(sealed);
    const step3 = instance([NEW]);
    await step3.synchronize();
    expect(kids(step3)).toEqual(kids(first));
  });

  it('gives up as an outage when it changes under every attempt', async () => {
    const contended = createSigningKeys({
      store: { readRing: store.readRing, replaceRing: async () => false },
      sealer: createSealer([OLD], 'signing-ring', systemRandom),
      alg: 'ES256',
      schedule: { jwksMaxAgeSeconds: 300, rotationSeconds: 0 },
      storeClock: createStoreClock(clock, store.now),
      clock,
      emit: () => undefined,
    });
    await expect(contended.synchronize()).rejects.toThrow(Outage);
  });
});

describe('a key of a new algorithm', () => {
  it('is published at once and signs only when every copy of the JWKS can know it', async () => {
    await instance([OLD], 'ES256').synchronize();
    const keys = instance([OLD], 'EdDSA');
    await keys.synchronize();
    expect(keys.jwks().keys).toHaveLength(2);
    clock.advance(359_999);
    expect((await keys.current()).alg).toBe('ES256');
    clock.advance(1);
    expect((await keys.current()).alg).toBe('EdDSA');
  });

  it('leaves signing to the oldest key when the clock of the store was set back', async () => {
    const keys = instance();
    const { kid } = await keys.current();
    clock.advance(-3_600_000);
    expect((await keys.current()).kid).toBe(kid);
    expect(chooseSigningKey([], 'ES256', 0)).toBeUndefined();
  });
});

describe('a key that has signed for its time', () => {
  const DAY_MS = 24 * 3_600_000;
  const daily = () => instance([OLD], 'ES256', DAY_MS / 1000);

  it('is followed by one that every copy of the JWKS can know, on all instances at the same moment', async () => {
    const [a, b] = [daily(), daily()];
    await a.synchronize();
    await b.synchronize();
    const first = kids(a)[0];
    clock.advance(DAY_MS - 360_000 - 1);
    await a.synchronize();
    expect(kids(a)).toEqual([first]);
    clock.advance(1);
    await Promise.all([a.synchronize(), b.synchronize()]);
    await Promise.all([a.synchronize(), b.synchronize()]);
    expect(kids(a)).toHaveLength(2);
    expect(kids(b)).toEqual(kids(a));
    clock.advance(359_999);
    expect([(await a.current()).kid, (await b.current()).kid]).toEqual([first, first]);
    clock.advance(1);
    expect([(await a.current()).kid, (await b.current()).kid]).toEqual([kids(a)[1], kids(a)[1]]);
  });

  it('stays until the longest token can no longer be good, and then goes for all', async () => {
    const [a, b] = [instance([OLD], 'ES256', 200 * (DAY_MS / 1000)), instance()];
    await a.synchronize();
    const first = kids(a)[0] ?? '';
    clock.advance(200 * DAY_MS);
    await a.synchronize();
    await b.synchronize();
    clock.advance(360_000 + 366 * DAY_MS - 1);
    await b.synchronize();
    expect(kids(b)).toContain(first);
    expect(await b.find(first)).toBeDefined();
    clock.advance(1);
    await b.synchronize();
    expect(kids(b)).not.toContain(first);
    await a.synchronize();
    expect(kids(a)).not.toContain(first);
    expect(await a.find(first)).toBeUndefined();
  });

  it('is the last of 64, however often they are to rotate', async () => {
    const hasty = instance([OLD], 'ES256', 1);
    for (let i = 0; i < 70; i++) {
      await hasty.synchronize();
      clock.advance(1000);
    }
    expect(kids(hasty)).toHaveLength(64);
  });

  it('may be missing from a copy of the JWKS only for as long as it does not sign', async () => {
    const keys = instance();
    expect(keys.jwksMaxAgeSeconds()).toBe(0);
    await keys.synchronize();
    expect(keys.jwksMaxAgeSeconds()).toBe(300);
    clock.advance(60_000);
    expect(keys.jwksMaxAgeSeconds()).toBe(300);
    clock.advance(100_000);
    expect(keys.jwksMaxAgeSeconds()).toBe(200);
    clock.advance(3_600_000);
    expect(keys.jwksMaxAgeSeconds()).toBe(0);
    await keys.synchronize();
    expect(keys.jwksMaxAgeSeconds()).toBe(300);
  });
});

describe('an unknown key id', () => {
  it('makes the instance look into the store, at most once a second', async () => {
    const [a, b] = [instance(), instance([OLD], 'EdDSA')];
    await a.synchronize();
    await b.synchronize();
    clock.advance(10_000);
    const kid = kids(b)[1] ?? '';
    expect((await a.find(kid))?.alg).toBe('EdDSA');
    const after = reads;
    for (let i = 0; i < 50; i++) expect(await a.find(`unknown-${i}`)).toBeUndefined();
    expect(reads).toBe(after);
    clock.advance(1000);
    await a.find('unknown');
    expect(reads).toBe(after + 1);
  });

  it('shares one look among all who ask at the same time', async () => {
    const keys = instance();
    await keys.synchronize();
    const before = reads;
    await Promise.all(Array.from({ length: 20 }, (_, i) => keys.find(`unknown-${i}`)));
    expect(reads).toBe(before + 1);
  });

  it('is an outage, never "unknown", for as long as the store cannot be asked', async () => {
    const keys = instance();
    await keys.synchronize();
    down = true;
    for (let i = 0; i < 3; i++) await expect(keys.find('unknown')).rejects.toThrow(Outage);
    down = false;
    expect(await keys.find('unknown')).toBeUndefined();
  });
});

it('a symmetric key is never taken into the ring', async () => {
  const jwk = { kty: 'oct', k: Buffer.alloc(32).toString('base64url') };
  await expect(importRingKey({ kid: 'x', alg: 'ES256', jwk, signsFromMs: 0 })).rejects.toThrow(
    TypeError,
  );
});
