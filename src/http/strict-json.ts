// Owns the strict reading of JSON: what JSON.parse accepts and silently changes (duplicate members, numbers, text) is refused by name.

import type { FieldFault } from './problem.ts';

export type ParsedJson =
  | { readonly value: unknown; readonly faults: readonly FieldFault[] }
  | { readonly value?: never; readonly faults: readonly [FieldFault, ...FieldFault[]] };

/** Far beyond what any schema allows; only protects what walks the value later. */
const MAX_DEPTH = 64;
/** Faults that are told of one request: more than anyone mends in one go. */
export const MAX_FAULTS = 32;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|-?\d[\d.eE+-]*|true|false|null/g;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One open object or array while the text is read. */
interface Level {
  readonly names: Set<string> | undefined;
  /** The member or element that is being read. */
  at: string | number;
  expectsName: boolean;
}

const escapeName = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** JSON pointer (RFC 6901) to the place that the open levels have come to. */
const pointerTo = (levels: readonly Level[]): string =>
  levels.map(({ at }) => `/${escapeName(String(at))}`).join('');

/** Why a number would not come back as it was sent; undefined if it would. */
function numberFault(token: string): string | undefined {
  const value = Number(token);
  if (!Number.isFinite(value)) return 'is too large a number';
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return 'is an integer beyond 2^53-1; send it as a string';
  }
  if (value === 0 && /[1-9]/.test(token.replace(/[eE].*/, ''))) return 'is too small a number';
  return Object.is(value, -0) ? 'is negative zero; send 0' : undefined;
}

const decodeString = (token: string): string =>
  token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);

/** Faults of a text that JSON.parse has already accepted; undefined if it is nested too deeply to look at. */
function findFaults(text: string): FieldFault[] | undefined {
  const faults: FieldFault[] = [];
  const levels: Level[] = [];
  // A pointer is as long as the names on its way: no more are made than are told.
  const fault = (detail: string) => {
    if (faults.length < MAX_FAULTS) faults.push({ pointer: pointerTo(levels), detail });
  };

  const readString = (token: string, level: Level | undefined): void => {
    const decoded = decodeString(token);
    if (level?.expectsName) {
      level.at = decoded;
      level.expectsName = false;
      if (level.names?.has(decoded)) fault('is given twice');
      if (decoded === '__proto__') fault('is not an allowed name');
      level.names?.add(decoded);
    }
    // A text that was valid UTF-8 can hold a lone surrogate only as an escape.
    if (token.includes('\\') && !decoded.isWellFormed()) fault('is not well-formed Unicode');
  };

  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    const first = token[0] as string;
    if (first === '"') readString(token, level);
    else if (first === '{') levels.push({ names: new Set(), at: '', expectsName: true });
    else if (first === '[') levels.push({ names: undefined, at: 0, expectsName: false });
    else if (first === '}' || first === ']') levels.pop();
    else if (first === ',' && level) {
      if (level.names) level.expectsName = true;
      else level.at = Number(level.at) + 1;
    } else if (first === '-' || (first >= '0' && first <= '9')) {
      const why = numberFault(token);
      if (why) fault(why);
    }
    if (levels.length > MAX_DEPTH) return undefined;
  }
  return faults;
}

/** Where the text that JSON.stringify makes of a value can still be faulty: escapes, long numbers, a name that it may not have. */
const SUSPICIOUS = /\\|\d{16}|\de\+|"__proto__"/;

/** Whether there are more objects and arrays than may lie in one another. */
function mayBeDeep(text: string): boolean {
  let opened = 0;
  for (const bracket of '{[') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++opened > MAX_DEPTH) return true;
    }
  }
  return false;
}

/** Whether a text comes back as it was sent, by its looks: most do, and the full look at each of its tokens costs three times as much. */
const isPlain = (text: string, value: unknown): boolean =>
  !SUSPICIOUS.test(text) && !mayBeDeep(text) && JSON.stringify(value) === text;

/** Reads a body. Without a `value` it is no JSON at all, or nested too deeply to look at. */
export function parseStrictJson(bytes: Uint8Array): ParsedJson {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { faults: [{ pointer: '', detail: 'is not valid UTF-8' }] };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message of the parser quotes the text; it is not passed on.
    return { faults: [{ pointer: '', detail: 'is not valid JSON' }] };
  }
  const faults = isPlain(text, value) ? [] : findFaults(text);
  return faults ? { value, faults } : { faults: [{ pointer: '', detail: 'is nested too deeply' }] };
}
