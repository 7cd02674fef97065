// Owns how many documents of each kind a store holds.

/** Session types of one product. */
export const MAX_TYPES = 256;
/** Of the whole service. */
export const MAX_API_KEYS = 1_000;
