// Owns the proof that operations on API keys leave nothing half done: what an outage cuts off is finished by the same call sent again.

import { describe, expect, it, vi } from 'vitest';
import { createApiKeys } from '../../src/callers/api-keys.ts';
import { authenticateStored } from '../../src/callers/authenticate.ts';
import { type Caller, PERMISSIONS } from '../../src/callers/caller.ts';
import { systemRandom } from '../../src/sessions/ambient.ts';
import type { DocumentStore } from '../../src/sessions/document-store.ts';
import { Outage } from '../../src/sessions/errors.ts';
import { createStoreClock } from '../../src/sessions/store-clock.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { createManualClock } from '../support/test-app.ts';

const ROOT: Caller = { id: 'root', permissions: new Set(PERMISSIONS), scope: {} };
const INPUT = { name: 'test', permissions: ['issue'], scope: {} } as const;
const settle = () => new Promise((resolve) => setImmediate(resolve));

function open(over: (memory: DocumentStore) => Partial<DocumentStore> = () => ({})) {
  const clock = createManualClock();
  const memory = createMemoryDocuments(1000);
  const store = { ...memory, ...over(memory) };
  const storeClock = createStoreClock(clock, async () => clock.wallMs());
  const authenticate = authenticateStored({ store, storeClock, clock });
  const keys = createApiKeys({
    store,
    storeClock,
    randomBytes: systemRandom,
    emit: () => undefined,
    forget: authenticate.forget,
  });
  const uses = () => memory.listDocuments('api-key-uses');
  return { clock, memory, keys, authenticate, uses };
}

describe('a revocation', () => {
  it('that an outage cut off after the key was gone is finished when it is sent again', async () => {
    let down = false;
    const { keys, authenticate, uses } = open((memory) => ({
      readDocument: async (collection, name) => {
        if (down && collection === 'api-key-uses') throw new Outage('read: test');
        return memory.readDocument(collection, name);
      },
    }));
    const { record, key } = await keys.create(ROOT, INPUT);
    expect(await authenticate(key)).toMatchObject({ id: record.id });
    await settle();
    down = true;
    await expect(keys.revoke(ROOT, record.id)).rejects.toThrow(Outage);
    expect(await authenticate(key)).toBeUndefined();
    down = false;
    expect((await uses()).size).toBe(1);
    await keys.revoke(ROOT, record.id);
    expect((await uses()).size).toBe(0);
  });

  it('of a key that the caller may not see leaves the key and its last use alone', async () => {
    const { keys, authenticate, uses } = open();
    const { record, key } = await keys.create(ROOT, INPUT);
    await authenticate(key);
    await settle();
    await keys.revoke({ ...ROOT, scope: { product: 'other' } }, record.id);
    expect(await authenticate(key)).toBeDefined();
    expect((await uses()).size).toBe(1);
  });
});

describe('a change', () => {
  it('that loses every race is an outage after a bounded number of rounds', async () => {
    const { keys } = open(() => ({
      replaceDocument: async (_collection, _name, current) =>
        current === undefined ? 'replaced' : 'stale',
      readDocument: async () => JSON.stringify({ ...INPUT, id: 'x', secretHash: 'x' }),
      removeDocument: async () => false,
    }));
    await expect(keys.rotate(ROOT, 'x', 0)).rejects.toThrow(Outage);
    await expect(keys.revoke(ROOT, 'x')).rejects.toThrow(Outage);
  });

  it('is refused where there are as many keys as there may be', async () => {
    const { keys } = open(() => ({ replaceDocument: async () => 'full' }));
    await expect(keys.create(ROOT, INPUT)).rejects.toThrow('api_key_limit_reached');
  });
});

describe('a key', () => {
  it('that is gone already is removed once more, for the call before may have died before that was safe', async () => {
    const removeDocument = vi.fn(async () => true);
    const { keys } = open(() => ({ removeDocument }));
    await keys.revoke(ROOT, 'gone');
    expect(removeDocument).toHaveBeenCalledWith('api-keys', 'gone', '');
  });

  it('remembers four secrets of before: the newest three, and the oldest, which is in use if the answers to rotations were lost', async () => {
    const { keys, authenticate } = open();
    const { record, key } = await keys.create(ROOT, INPUT);
    const all = [key];
    for (let i = 0; i < 5; i++) all.push((await keys.rotate(ROOT, record.id, 60)).key);
    const good = await Promise.all(
      all.map(async (each) => (await authenticate(each)) !== undefined),
    );
    expect(good).toEqual([true, false, true, true, true, true]);
  });

  it('is good though its last use can be neither read nor written', async () => {
    const { keys, authenticate } = open((memory) => ({
      replaceDocument: async (collection, ...rest) => {
        if (collection === 'api-key-uses') throw new Outage('replace: test');
        return memory.replaceDocument(collection, ...rest);
      },
    }));
    const { key } = await keys.create(ROOT, INPUT);
    expect(await authenticate(key)).toBeDefined();
    await settle();
  });

  it('shows no earlier use than one that another instance has seen', async () => {
    const { memory, clock, keys, authenticate } = open();
    const { record, key } = await keys.create(ROOT, INPUT);
    const later = String(clock.wallMs() + 5_000);
    await memory.replaceDocument('api-key-uses', record.id, undefined, later);
    await authenticate(key);
    await settle();
    expect((await keys.read(ROOT, record.id)).lastUsedAtMs).toBe(Number(later));
  });
});
