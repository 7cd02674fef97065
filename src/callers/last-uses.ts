// Owns when a key was last used: coarse, written in the background, and nobody's request depends on it.

import type { Clock } from '../sessions/ambient.ts';
import type { DocumentStore } from '../sessions/document-store.ts';

/** Name of the collection: a time in milliseconds by the id of the key. */
export const LAST_USES = 'api-key-uses';

/** The last use of a key is written down once in this time by each instance. */
const WRITTEN_EVERY_MS = 60_000;
const MAX_KNOWN = 4_096;

/** Forgets the use of a key that is gone. One that is written meanwhile is forgotten by its writer. */
export async function forgetUse(store: DocumentStore, id: string): Promise<void> {
  const use = await store.readDocument(LAST_USES, id);
  if (use !== undefined) await store.removeDocument(LAST_USES, id, use);
}

/** `keyExists`: whether the store holds the key still. */
export function createUseRecorder(
  store: DocumentStore,
  clock: Pick<Clock, 'monotonicMs'>,
  keyExists: (id: string) => Promise<boolean>,
): (id: string, nowMs: number) => void {
  const writtenAtMs = new Map<string, number>();

  async function write(id: string, nowMs: number): Promise<void> {
    const current = await store.readDocument(LAST_USES, id);
    // Another instance may have seen a later use.
    if (current !== undefined && Number(current) >= nowMs) return;
    await store.replaceDocument(LAST_USES, id, current, String(nowMs));
    // A key that is revoked works for some seconds more where it is cached: its use must not outlive it.
    if (!(await keyExists(id))) await forgetUse(store, id);
  }

  return (id, nowMs) => {
    const last = writtenAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
    if (clock.monotonicMs() - last < WRITTEN_EVERY_MS) return;
    if (writtenAtMs.size >= MAX_KNOWN) writtenAtMs.clear();
    writtenAtMs.set(id, clock.monotonicMs());
    write(id, nowMs).catch(() => undefined);
  };
}
