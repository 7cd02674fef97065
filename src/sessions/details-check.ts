// Owns the check of details against the schema of a session type: compiled once, bounded in the work it may cause, every fault with its place.

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { canonicalJson } from './canonical-json.ts';
import type { Fault } from './errors.ts';
import { countValues, judgeSchema, linearPattern, pointerStep } from './schema-rules.ts';
import type { JsonObject } from './session.ts';

/** The faults of details, none if they are as the schema says; pointers into the details. */
export type CheckDetails = (details: JsonObject) => readonly Fault[];

/** More than anyone mends in one go. */
const MAX_FAULTS = 32;
/** A member's name is the sender's own text: a very long one is not sent back. */
const MAX_POINTER_LENGTH = 256;
/** Values looked at in one check: 0.3 µs each at worst, where each is a branch that does not fit and is described in vain. */
const MAX_LOOKS = 150_000;
/** Up to so many all faults are named: 0.8 µs each at worst, where each look finds one. Beyond, the first alone. */
const MAX_NAMING_LOOKS = 30_000;
/** Instructions of patterns run in one check: 0.08 µs each at worst. */
const MAX_INSTRUCTIONS = 500_000;

/** What is left of them to the check that is running; there is only one at a time. */
let instructionsLeft = 0;

/** Every pattern of a schema, as the library wants it, with its work counted. */
function countedPattern(pattern: string) {
  const linear = linearPattern(pattern);
  const size = linear.programSize();
  return {
    test(text: string): boolean {
      instructionsLeft -= size * (text.length + 1);
      // Once they are used up the check only runs to its end; what it says no longer counts.
      return instructionsLeft >= 0 && linear.test(text);
    },
  };
}

/** Knows the meta-schema, and compiles nothing else. */
const dialect = new Ajv2020({ strict: true, logger: false });

/** A new one for every schema: it keeps a part of whatever it has compiled. `allErrors`: names every fault, not the first alone. */
function createCompiler(allErrors: boolean): Ajv2020 {
  const compiler = new Ajv2020({
    allErrors,
    meta: false,
    validateSchema: false,
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
    code: { regExp: Object.assign(countedPattern, { code: 'countedPattern' }) },
  });
  // The library compares each item with each other one.
  compiler.removeKeyword('uniqueItems');
  compiler.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    error: { message: 'must not have equal items' },
    validate: (unique: boolean, items: readonly unknown[]) =>
      !unique || new Set(items.map(canonicalJson)).size === items.length,
  });
  return compiler;
}

function toFault({ keyword, instancePath, params, message }: ErrorObject): Fault {
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
      return { pointer: instancePath, detail: String(message) };
  }
}

/** What a name was found guilty of is said by `propertyNames`, what a condition led to by its branch. */
const isTelling = ({ keyword, propertyName }: ErrorObject): boolean =>
  keyword === 'propertyNames' || (propertyName === undefined && keyword !== 'if');

/** Each fault once, cut to what is worth sending. */
function toFaults(errors: readonly ErrorObject[]): readonly Fault[] {
  const distinct = new Map<string, Fault>();
  const telling = errors.filter(isTelling);
  // At least one, whatever it says: what was not accepted is refused.
  for (const error of [...telling, ...errors].slice(0, Math.max(telling.length, 1))) {
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

/** Faults of a proposed schema, pointers into the schema; none means that `compileDetailsCheck` accepts it. */
export function schemaFaults(schema: JsonObject): readonly Fault[] {
  const { faults } = judgeSchema(schema);
  if (faults.length > 0) return faults.slice(0, MAX_FAULTS);
  if (!dialect.validateSchema(schema)) return toFaults(dialect.errors as readonly ErrorObject[]);
  try {
    createCompiler(true).compile(schema);
    return [];
  } catch (error) {
    // The library's own words: about the schema alone, which its author knows.
    return [{ pointer: '', detail: (error as Error).message.slice(0, 200) }];
  }
}

/** Compiles the check of a schema; throws for one that has faults. */
export function compileDetailsCheck(schema: JsonObject): CheckDetails {
  const { faults, weight } = judgeSchema(schema);
  if (faults.length > 0 || !dialect.validateSchema(schema)) {
    throw new TypeError('a schema that is not accepted cannot be compiled');
  }
  const nameAll = createCompiler(true).compile(schema);
  // Few details are ever so large that this one is needed.
  let terse: ValidateFunction | undefined;
  const nameFirst = () => {
    terse ??= createCompiler(false).compile(schema);
    return terse;
  };
  const tooLarge = [{ pointer: '', detail: 'is too large for the schema of its session type' }];
  return (details) => {
    const looks = countValues(details) * weight;
    if (looks > MAX_LOOKS) return tooLarge;
    const validate = looks > MAX_NAMING_LOOKS ? nameFirst() : nameAll;
    instructionsLeft = MAX_INSTRUCTIONS;
    const accepted = validate(details);
    const errors = validate.errors as readonly ErrorObject[];
    validate.errors = null;
    if (instructionsLeft < 0) return tooLarge;
    return accepted ? [] : toFaults(errors);
  };
}
