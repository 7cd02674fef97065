// Owns the one spelling of a JSON value: equal values give equal text, whatever the order of their members.

const inOrder = (_name: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** JSON with the members of every object in order of their names. */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, inOrder);
