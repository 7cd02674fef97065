// Owns the port to a store of small documents: text by name in a collection, changed by compare-and-swap only. Session types are kept
// in one (a collection a product), API keys in another.

export type DocumentReplacement = 'replaced' | 'stale' | 'full';

/** Every operation rejects with `Outage` when the store does not answer in time, and is harmless when executed twice. */
export interface DocumentStore {
  readDocument(collection: string, name: string): Promise<string | undefined>;
  /** All documents of a collection by name, in no particular order. */
  listDocuments(collection: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Writes `next` if `current` is what is there, undefined for nothing; `full` if the collection has as many others as it may.
   * What is found to be `next` already counts as replaced.
   */
  replaceDocument(
    collection: string,
    name: string,
    current: string | undefined,
    next: string,
  ): Promise<DocumentReplacement>;
  /** Removes the document if it still is `current`; false if it has changed. One that is gone counts as removed. */
  removeDocument(collection: string, name: string, current: string): Promise<boolean>;
}
