// Owns small documents in the memory of one process.

import type { DocumentStore } from '../sessions/document-store.ts';

/** `most`: documents of one collection. */
export function createMemoryDocuments(most: number): DocumentStore {
  const collections = new Map<string, Map<string, string>>();
  const find = (collection: string, name: string) => collections.get(collection)?.get(name);

  return {
    readDocument: async (collection, name) => find(collection, name),
    listDocuments: async (collection) => new Map(collections.get(collection)),
    async replaceDocument(collection, name, current, next) {
      const found = find(collection, name);
      if (found === next) return 'replaced';
      if (found !== current) return 'stale';
      const documents = collections.get(collection) ?? new Map<string, string>();
      if (found === undefined && documents.size >= most) return 'full';
      collections.set(collection, documents.set(name, next));
      return 'replaced';
    },
    async removeDocument(collection, name, current) {
      const found = find(collection, name);
      if (found === undefined) return true;
      if (found !== current) return false;
      collections.get(collection)?.delete(name);
      if (collections.get(collection)?.size === 0) collections.delete(collection);
      return true;
    },
  };
}
