// Owns the rules that keep a schema of details harmless: what it may say, how large it may be, and how much work it can cause.

import { RE2JS } from 're2js';
import type { Fault } from './errors.ts';

const MAX_SCHEMA_BYTES = 16 * 1024;
const MAX_DEPTH = 16;
const MAX_PATTERN_LENGTH = 256;
/** Instructions of one compiled pattern; counted repetition multiplies them. */
const MAX_PROGRAM = 512;
/** Values of the schema, each reference counted as what it refers to: two references to two references … grow without limit otherwise. */
const MAX_WEIGHT = 1024;
/** Instructions of all patterns together. */
const MAX_PROGRAMS = 4096;
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

/** Reads one schema after another and keeps what is needed to weigh them. */
function createReader() {
  const nodes = new Map<string, Node>();
  const faults: Fault[] = [];
  let programs = 0;
  const fault = (pointer: string, detail: string) => faults.push({ pointer, detail });

  function readPattern(pattern: string, pointer: string): void {
    if (pattern.length > MAX_PATTERN_LENGTH) {
      fault(pointer, `must not be longer than ${MAX_PATTERN_LENGTH} characters`);
      return;
    }
    try {
      const size = linearPattern(pattern).programSize();
      programs += size;
      if (size > MAX_PROGRAM) fault(pointer, 'repeats too much');
    } catch {
      fault(pointer, 'is not a pattern that can be matched in linear time (RE2 syntax)');
    }
  }

  function targetOf(ref: unknown, pointer: string): readonly string[] {
    if (typeof ref !== 'string') return [];
    if (ref.startsWith('#/')) {
      try {
        return [decodeURIComponent(ref.slice(1))];
      } catch {
        // Falls through: not an address.
      }
    }
    fault(pointer, 'must refer to a part of this schema, as #/… does');
    return [];
  }

  function readChild(children: Children, value: unknown, pointer: string, depth: number) {
    if (children === 'none' || typeof value !== 'object' || value === null) {
      if (children === 'schema' && typeof value === 'boolean') read(value, pointer, depth);
      return [];
    }
    const named: readonly [string, unknown][] =
      children === 'schema'
        ? [[pointer, value]]
        : Object.entries(value).map(([name, each]) => [pointer + pointerStep(name), each]);
    for (const [at, each] of named) read(each, at, depth + 1);
    return named.map(([at]) => at);
  }

  function read(schema: unknown, pointer: string, depth: number): void {
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
      const below = readChild(children, value, at, depth);
      weight += below.length === 0 ? countValues(value) : below.length;
      if (name !== '$defs') applies.push(...below);
      if (name === '$ref') applies.push(...targetOf(value, at));
      if (name === 'pattern') readPattern(String(value), at);
      if (name === 'patternProperties') {
        for (const each of Object.keys(Object(value))) readPattern(each, at + pointerStep(each));
      }
      if (name === '$schema' && (value !== DIALECT || pointer !== '')) {
        fault(at, `can only be ${DIALECT}, at the top`);
      }
    }
    nodes.set(pointer, { weight, applies });
  }
  return { read, nodes, faults, programs: () => programs };
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
  const { read, nodes, faults, programs } = createReader();
  read(schema, '', 1);
  if (faults.length > 0) return { faults, weight: 0 };
  if (programs() > MAX_PROGRAMS) return refused('has too many or too large patterns');
  const weight = weigh(nodes, faults);
  return weight > MAX_WEIGHT
    ? refused('says too much once its references are followed')
    : { faults, weight };
}
