// Owns small documents in Redis: one hash a collection, changed by compare-and-swap on the text.

import type { DocumentReplacement, DocumentStore } from '../../sessions/document-store.ts';
import type { ScriptRunner } from './run-script.ts';

/** `keyOf`: the key of a collection; `most`: documents of one collection. */
export function createRedisDocuments(
  { run, runDurably }: ScriptRunner,
  keyOf: (collection: string) => string,
  most: number,
): DocumentStore {
  return {
    async readDocument(collection, name) {
      const text = await run('readDocument', [keyOf(collection)], [name]);
      return Buffer.isBuffer(text) ? text.toString() : undefined;
    },
    async listDocuments(collection) {
      const flat = (await run('listDocuments', [keyOf(collection)])) as Buffer[];
      return new Map(
        Array.from({ length: flat.length / 2 }, (_, i) => [
          String(flat[2 * i]),
          String(flat[2 * i + 1]),
        ]),
      );
    },
    async replaceDocument(collection, name, current, next) {
      const [reply] = await runDurably('replaceDocument', {
        keys: [keyOf(collection)],
        args: [name, current ?? '', next, most],
      });
      return String(reply) as DocumentReplacement;
    },
    async removeDocument(collection, name, current) {
      const [removed] = await runDurably('removeDocument', {
        keys: [keyOf(collection)],
        args: [name, current],
      });
      return Number(removed) === 1;
    },
  };
}
