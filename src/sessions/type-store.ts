// Owns the port to the store of session types: text under product and tag, changed by compare-and-swap only.

/** Types of one product. */
export const MAX_TYPES = 256;

export type TypeReplacement = 'replaced' | 'stale' | 'full';

/** Every operation rejects with `Outage` when the store does not answer in time, and is harmless when executed twice. */
export interface TypeStore {
  readType(product: string, tag: string): Promise<string | undefined>;
  /** All types of a product by tag, in no particular order. */
  listTypes(product: string): Promise<ReadonlyMap<string, string>>;
  /**
   * Writes `next` if `current` is what is there, undefined for nothing; `full` if the product has MAX_TYPES others. What is
   * found to be `next` already counts as replaced.
   */
  replaceType(
    product: string,
    tag: string,
    current: string | undefined,
    next: string,
  ): Promise<TypeReplacement>;
  /** Removes the type if it still is `current`; false if it has changed. One that is gone counts as removed. */
  removeType(product: string, tag: string, current: string): Promise<boolean>;
}
