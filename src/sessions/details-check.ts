// Owns the check of details against the schema of a session type: compiled once, bounded in the work it may cause, every fault with its place.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { canonicalJson } from './canonical-json.ts';
import type { Fault } from './errors.ts';
import { judgeSchema, linearPattern, pointerStep } from './schema-rules.ts';
import type { JsonObject } from './session.ts';

/** The faults of details, none if they are as the schema says; pointers into the details. */
export type CheckDetails = (details: JsonObject) => readonly Fault[];

/** More than anyone mends in one go. */
const MAX_FAULTS = 32;
/** A member's name is the sender's own text: a very long one is not sent back. */
const MAX_POINTER_LENGTH = 256;
/** Values looked at in one check (0.1 µs each at worst), and instructions of patterns run (10 to 30 ns each). */
const MAX_LOOKS = 500_000;
const MAX_INSTRUCTIONS = 2_000_000;

const linearEngine = Object.assign((pattern: string) => linearPattern(pattern), { code: '' });

function createAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    allowUnionTypes: true,
    validateFormats: false,
    // A reference is counted as what it refers to; code that repeats it would be counted nowhere.
    inlineRefs: false,
    // `constructor` is a member only if the sender sent one.
    ownProperties: true,
    logger: false,
    code: { regExp: linearEngine },
  });
  // The library compares each item with each other one.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    error: { message: 'must not have equal items' },
    validate: (unique: boolean, items: readonly unknown[]) =>
      !unique || new Set(items.map(canonicalJson)).size === items.length,
  });
  return ajv;
}

/** Made once: it compiles the meta-schema, and forgets each schema after it was compiled. */
const ajv = createAjv();

function toFault({ keyword, instancePath, params, message = '' }: ErrorObject): Fault {
  const named = (name: unknown) => instancePath + pointerStep(String(name));
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return { pointer: named(params['missingProperty']), detail: 'is required' };
    case 'additionalProperties':
      return { pointer: named(params['additionalProperty']), detail: 'is not a known member' };
    case 'unevaluatedProperties':
      return { pointer: named(params['unevaluatedProperty']), detail: 'is not a known member' };
    case 'propertyNames':
      return { pointer: named(params['propertyName']), detail: 'has a name that is not allowed' };
    case 'false schema':
      return { pointer: instancePath, detail: 'is not allowed' };
    default:
      return { pointer: instancePath, detail: message };
  }
}

/** Each fault once, cut to what is worth sending. */
function toFaults(errors: readonly ErrorObject[]): readonly Fault[] {
  const distinct = new Map<string, Fault>();
  for (const error of errors) {
    // What a name was found guilty of is said by `propertyNames`, what a condition led to by the branch.
    if (error.propertyName !== undefined && error.keyword !== 'propertyNames') continue;
    if (error.keyword === 'if') continue;
    const { pointer, detail } = toFault(error);
    const cut =
      pointer.length > MAX_POINTER_LENGTH
        ? pointer.slice(0, pointer.lastIndexOf('/')).slice(0, MAX_POINTER_LENGTH)
        : pointer;
    distinct.set(`${cut}\n${detail}`, { pointer: cut, detail });
    if (distinct.size === MAX_FAULTS) break;
  }
  return [...distinct.values()];
}

interface Extent {
  values: number;
  characters: number;
}

/** Adds up what details consist of. Their depth has been judged before. */
function measure(value: unknown, extent: Extent): Extent {
  extent.values++;
  if (typeof value === 'string') extent.characters += value.length;
  else if (typeof value === 'object' && value !== null) {
    for (const [name, each] of Object.entries(value)) {
      extent.characters += name.length;
      measure(each, extent);
    }
  }
  return extent;
}

/** Faults of a proposed schema, pointers into the schema; none means that `compileDetailsCheck` accepts it. */
export function schemaFaults(schema: JsonObject): readonly Fault[] {
  const { faults } = judgeSchema(schema);
  if (faults.length > 0) return faults.slice(0, MAX_FAULTS);
  if (!ajv.validateSchema(schema)) return toFaults(ajv.errors ?? []);
  try {
    compile(schema);
    return [];
  } catch (error) {
    // The library's own words: about the schema alone, which its author knows.
    const detail = error instanceof Error ? error.message : 'cannot be compiled';
    return [{ pointer: '', detail: detail.slice(0, 200) }];
  }
}

function compile(schema: JsonObject) {
  try {
    return ajv.compile(schema);
  } finally {
    ajv.removeSchema(schema);
  }
}

/** Compiles the check of a schema without faults. */
export function compileDetailsCheck(schema: JsonObject): CheckDetails {
  const { faults, weight, programs } = judgeSchema(schema);
  if (faults.length > 0) throw new TypeError('a schema that is not accepted cannot be compiled');
  const validate = compile(schema);
  return (details) => {
    const { values, characters } = measure(details, { values: 0, characters: 0 });
    if (values * weight > MAX_LOOKS || characters * programs > MAX_INSTRUCTIONS) {
      return [{ pointer: '', detail: 'is too large for the schema of its session type' }];
    }
    if (validate(details)) return [];
    const found = toFaults(validate.errors ?? []);
    validate.errors = null;
    // What was not accepted is refused, even if nothing can be named.
    return found.length > 0 ? found : [{ pointer: '', detail: 'is not as its session type says' }];
  };
}
