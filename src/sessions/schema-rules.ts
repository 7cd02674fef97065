// Owns the rules that keep a schema of details harmless: what it may say, how large it may be, and how much work it can cause.

import { RE2JS } from 're2js';
import type { Fault } from './errors.ts';
import { patternCost } from './pattern-cost.ts';

const MAX_SCHEMA_BYTES = 16 * 1024;
const MAX_DEPTH = 16;
const MAX_PATTERN_LENGTH = 256;
/** Instructions of one compiled pattern; counted repetition multiplies them. */
const MAX_PROGRAM = 512;
/** Values of the schema, each reference counted as what it refers to: two references to two references … grow without limit otherwise. */
const MAX_WEIGHT = 1024;
/** Instructions of all patterns together. */
const MAX_PROGRAMS = 4096;
/** Classes of all patterns together that need a table of Unicode: a millisecond each, at every compilation. */
const MAX_TABLES = 32;
/** A backslash that none before it escapes, and Q: RE2 reads no repetition behind it. Patterns of JSON Schema have no such thing. */
const QUOTES = /(?<!\\)(?:\\\\)*\\Q/;
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

type Children = 'schema' | 'list' | 'map' | 'none';

/** Every keyword that may be used. What is not here (remote and dynamic references, identifiers, formats) is refused by name. */
const keywords: ReadonlyMap<string, Children> = new Map<string, Children>([
  ...[
    'not',
    'if',
    'then',
    'else',
    'items',
    'contains',
    'additionalProperties',
    'propertyNames',
  ].map((name) => [name, 'schema'] as const),
  ...['unevaluatedItems', 'unevaluatedProperties'].map((name) => [name, 'schema'] as const),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((name) => [name, 'list'] as const),
  ...['properties', 'patternProperties', 'dependentSchemas', '$defs'].map(
    (name) => [name, 'map'] as const,
  ),
  ...[
    ...['$schema', '$ref', '$comment', 'title', 'description', 'default', 'examples', 'deprecated'],
    ...['readOnly', 'writeOnly', 'type', 'enum', 'const', 'pattern', 'minLength', 'maxLength'],
    ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'required'],
    ...['minItems', 'maxItems', 'uniqueItems', 'minContains', 'maxContains', 'dependentRequired'],
    ...['minProperties', 'maxProperties'],
  ].map((name) => [name, 'none'] as const),
]);

interface Node {
  /** Values of its own, without its subschemas. */
  readonly weight: number;
  /** Pointers of the subschemas that are applied with it. */
  readonly applies: readonly string[];
}

export interface SchemaJudgement {
  readonly faults: readonly Fault[];
  /** Values looked at most for each value of the details. */
  readonly weight: number;
}

export const pointerStep = (name: string): string =>
  `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** The pattern as the engine that needs only linear time understands it. Throws for what it cannot do: look-around, back-references. */
export const linearPattern = (pattern: string): RE2JS =>
  RE2JS.compile(RE2JS.translateRegExp(pattern));

/** Values that a value consists of, itself included. */
export const countValues = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce((sum: number, each) => sum + countValues(each), 1)
    : 1;

/** What is gathered while a schema is read. */
interface Reading {
  readonly nodes: Map<string, Node>;
  readonly faults: Fault[];
  /** Instructions of the patterns so far, and their tables. */
  programs: number;
  tables: number;
}

const hasTooManyPatterns = ({ programs, tables }: Reading): boolean =>
  programs > MAX_PROGRAMS || tables > MAX_TABLES;

function readPattern(reading: Reading, pattern: string, pointer: string): void {
  const fault = (detail: string) => reading.faults.push({ pointer, detail });
  if (pattern.length > MAX_PATTERN_LENGTH) {
    fault(`must not be longer than ${MAX_PATTERN_LENGTH} characters`);
    return;
  }
  if (QUOTES.test(pattern)) {
    fault('must not quote with \\Q');
    return;
  }
  const cost = patternCost(pattern);
  reading.programs += cost.size;
  reading.tables += cost.tables;
  if (cost.size > MAX_PROGRAM) fault('repeats too much');
  // To compile is work: only what may still be accepted is.
  if (reading.faults.length > 0 || hasTooManyPatterns(reading)) return;
  try {
    if (linearPattern(pattern).programSize() > MAX_PROGRAM) fault('repeats too much');
  } catch {
    fault('is not a pattern that can be matched in linear time (RE2 syntax)');
  }
}

/** The pointer that a reference names. Nothing percent-encoded: what we take it for must be what the library takes it for. */
function targetOf({ faults }: Reading, ref: unknown, pointer: string): readonly string[] {
  if (typeof ref !== 'string') return [];
  if (/^#(\/[\w$.~-]+)+$/.test(ref)) return [ref.slice(1)];
  faults.push({ pointer, detail: 'must refer to a part of this schema, as #/$defs/name does' });
  return [];
}

/** Reads the subschemas that a keyword holds; answers their pointers. */
function readBelow(
  reading: Reading,
  children: Children,
  value: unknown,
  pointer: string,
  depth: number,
): readonly string[] {
  if (children === 'none') return [];
  if (children !== 'schema' && (typeof value !== 'object' || value === null)) return [];
  const named: readonly [string, unknown][] =
    children === 'schema'
      ? [[pointer, value]]
      : Object.entries(value as object).map(([name, each]) => [pointer + pointerStep(name), each]);
  for (const [at, each] of named) read(reading, each, at, depth + 1);
  return named.map(([at]) => at);
}

function read(reading: Reading, schema: unknown, pointer: string, depth: number): void {
  const fault = (at: string, detail: string) => reading.faults.push({ pointer: at, detail });
  if (depth > MAX_DEPTH) {
    fault(pointer, `must not be nested more than ${MAX_DEPTH} schemas deep`);
    return;
  }
  let weight = 1;
  const applies: string[] = [];
  const members = typeof schema === 'object' && schema !== null ? Object.entries(schema) : [];
  for (const [name, value] of members) {
    const at = pointer + pointerStep(name);
    const children = keywords.get(name);
    if (children === undefined) {
      fault(at, name === 'format' ? 'is not checked; use pattern' : 'is not a supported keyword');
      continue;
    }
    const below = readBelow(reading, children, value, at, depth);
    weight += below.length === 0 ? countValues(value) : below.length;
    if (name !== '$defs') applies.push(...below);
    if (name === '$ref') applies.push(...targetOf(reading, value, at));
    if (name === 'pattern') readPattern(reading, String(value), at);
    if (name === 'patternProperties') {
      for (const each of Object.keys(Object(value))) {
        readPattern(reading, each, at + pointerStep(each));
      }
    }
    if (name === '$schema' && (value !== DIALECT || pointer !== '')) {
      fault(at, `can only be ${DIALECT}, at the top`);
    }
  }
  reading.nodes.set(pointer, { weight, applies });
}

/** Adds up a schema with all that it applies; a reference back to itself is named in `faults`. */
function weigh(nodes: ReadonlyMap<string, Node>, faults: Fault[]): number {
  const done = new Map<string, number>();
  const under = new Set<string>();
  function total(pointer: string, from: string): number {
    const known = done.get(pointer);
    if (known !== undefined) return known;
    const node = nodes.get(pointer);
    if (node === undefined || under.has(pointer)) {
      const detail = node ? 'must not lead back to itself' : 'refers to no schema';
      faults.push({ pointer: `${from}/$ref`, detail });
      return 0;
    }
    under.add(pointer);
    let { weight } = node;
    for (const each of node.applies) {
      weight = Math.min(weight + total(each, pointer), MAX_WEIGHT + 1);
    }
    under.delete(pointer);
    done.set(pointer, weight);
    return weight;
  }
  // Also what nothing refers to is looked at; the whole comes first, so that faults are named where a reader would look.
  for (const pointer of [...nodes.keys()].reverse()) total(pointer, '');
  return total('', '');
}

/** Judges a schema by these rules alone; whether its keywords have values that make sense is the library's to say. */
export function judgeSchema(schema: unknown): SchemaJudgement {
  const refused = (detail: string) => ({ faults: [{ pointer: '', detail }], weight: 0 });
  if (Buffer.byteLength(JSON.stringify(schema)) > MAX_SCHEMA_BYTES) {
    return refused(`must not be larger than ${MAX_SCHEMA_BYTES} bytes as JSON`);
  }
  const reading: Reading = { nodes: new Map(), faults: [], programs: 0, tables: 0 };
  read(reading, schema, '', 1);
  const { nodes, faults } = reading;
  if (faults.length > 0) return { faults, weight: 0 };
  if (hasTooManyPatterns(reading)) return refused('has too many or too large patterns');
  const weight = weigh(nodes, faults);
  return weight > MAX_WEIGHT
    ? refused('says too much once its references are followed')
    : { faults, weight };
}
