// Owns the limits of `details`: size, depth and number of members.

import type { Fault } from './errors.ts';
import type { JsonObject } from './session.ts';

const MAX_DEPTH = 8;
const MAX_MEMBERS = 256;

interface Measure {
  readonly depth: number;
  readonly members: number;
}

/** Depth counts the value itself if it is an object or array; members are counted over all levels. Stops at `levels`. */
function measure(value: unknown, levels: number): Measure {
  if (typeof value !== 'object' || value === null) return { depth: 0, members: 0 };
  if (levels === 0) return { depth: 1, members: 0 };
  const inner = Object.values(value).map((each) => measure(each, levels - 1));
  return {
    depth: 1 + inner.reduce((deepest, { depth }) => Math.max(deepest, depth), 0),
    members:
      (Array.isArray(value) ? 0 : inner.length) +
      inner.reduce((sum, { members }) => sum + members, 0),
  };
}

/** Why `details` is too much, or undefined if it is not. `maxBytes` bounds its size as JSON in UTF-8. */
export function detailsFault(details: unknown, maxBytes: number): string | undefined {
  const { depth, members } = measure(details, MAX_DEPTH);
  if (depth > MAX_DEPTH) return `must not be nested more than ${MAX_DEPTH} levels deep`;
  if (members > MAX_MEMBERS) return `must not have more than ${MAX_MEMBERS} members in all`;
  if (Buffer.byteLength(JSON.stringify(details)) > maxBytes) {
    return `must not be larger than ${maxBytes} bytes as JSON`;
  }
  return undefined;
}

/** The same as a list, of the details as a whole. */
export function detailsFaults(details: JsonObject, maxBytes: number): readonly Fault[] {
  const detail = detailsFault(details, maxBytes);
  return detail === undefined ? [] : [{ pointer: '', detail }];
}
