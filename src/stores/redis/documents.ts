// Owns small documents in Redis: one hash a collection, changed by compare-and-swap on the text.

import type { DocumentReplacement, DocumentStore } from '../../sessions/document-store.ts';
import type { ScriptRunner } from './run-script.ts';

/** Documents that one script reads: a type may have 16 KB, and others wait meanwhile. */
const READ_AT_ONCE = 32;

/** `keyOf`: the key of a collection; `most`: documents of one collection. */
export function createRedisDocuments(
  { run, runDurably, runDurablyOnce }: ScriptRunner,
  keyOf: (collection: string) => string,
  most: number,
): DocumentStore {
  async function read(collection: string, name: string): Promise<string | undefined> {
    const text = await run('readDocument', [keyOf(collection)], [name]);
    return Buffer.isBuffer(text) ? text.toString() : undefined;
  }

  return {
    readDocument: read,
    async listDocuments(collection) {
      const key = keyOf(collection);
      const names = ((await run('documentNames', [key])) as Buffer[]).map(String);
      const documents = new Map<string, string>();
      for (let done = 0; done < names.length; done += READ_AT_ONCE) {
        const some = names.slice(done, done + READ_AT_ONCE);
        const texts = (await run('readDocuments', [key], some)) as (Buffer | null)[];
        // One that was removed meanwhile is not there any more.
        some.forEach((name, i) => {
          if (texts[i]) documents.set(name, texts[i].toString());
        });
      }
      return documents;
    },
    async replaceDocument(collection, name, current, next) {
      const call = { keys: [keyOf(collection)], args: [name, current ?? '', next, most] };
      if (current !== undefined) {
        const [reply] = await runDurably('replaceDocument', call);
        return String(reply) as DocumentReplacement;
      }
      const reply = await runDurablyOnce('replaceDocument', call).catch(
        async (outage: unknown): Promise<DocumentReplacement> => {
          if ((await read(collection, name)) !== next) throw outage;
          // It is there; written once more, it is as durable as promised.
          const again = { ...call, args: [name, next, next, most] };
          return String((await runDurably('replaceDocument', again))[0]) as DocumentReplacement;
        },
      );
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
