// Owns the validation of requests: path, query, headers and body judged together, every fault named at once, nothing coerced or dropped.
// (Fastify by itself stops at the first part.)

import type { FastifyRequest, FastifySchema, preValidationHookHandler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { LABEL_PATTERN, USER_ID_PATTERN } from '../sessions/session.ts';
import { type FieldFault, ProblemError } from './problem.ts';
import { MAX_FAULTS, parseStrictJson } from './strict-json.ts';

// TypeBox stops after 8 by itself, and counts an object with unknown members once more than these.
Settings.Set({ maxErrors: 2 * MAX_FAULTS });
/** A member's name is the sender's own text: a very long one is not sent back. */
const MAX_POINTER_LENGTH = 256;

const patternTexts: Readonly<Record<string, string>> = {
  [LABEL_PATTERN]: 'must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit',
  [USER_ID_PATTERN]:
    'must be 1 to 256 characters of well-formed Unicode without control characters, and not . or ..',
};

type SchemaError = ReturnType<ReturnType<typeof Compile>['Errors']>[number];

function toFaults(error: SchemaError, prefix: string): FieldFault[] {
  const pointer = prefix + error.instancePath;
  const each = (names: readonly string[], detail: string) =>
    names.map((name) => ({
      pointer: `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
      detail,
    }));
  switch (error.keyword) {
    case 'required':
      return each(error.params.requiredProperties, 'is required');
    case 'enum':
      return [{ pointer, detail: `must be one of ${error.params.allowedValues.join(', ')}` }];
    case 'boolean':
      return [{ pointer, detail: 'is not a known member' }];
    case 'additionalProperties':
      // Says once more what each of its members was told.
      return [];
    case 'minProperties':
    case 'maxProperties':
      return [{ pointer, detail: 'must have exactly one of its members' }];
    case 'pattern': {
      const { pattern } = error.params;
      return [{ pointer, detail: patternTexts[String(pattern)] ?? error.message }];
    }
    default:
      return [{ pointer, detail: error.message }];
  }
}

type CheckPart = (value: unknown) => readonly FieldFault[];

function compilePart(schema: unknown, prefix: string): CheckPart {
  if (schema === undefined) return () => [];
  const compiled = Compile(schema as TSchema);
  return (value) => {
    if (compiled.Check(value)) return [];
    const faults = compiled.Errors(value).flatMap((error) => toFaults(error, prefix));
    // What was not accepted is refused, even if nothing can be named.
    return faults.length > 0 ? faults : [{ pointer: prefix, detail: 'is not as it must be' }];
  };
}

/** The reader of queries leaves text that is not percent-encoded UTF-8 as it stands. */
function queryTextFaults({ url = '' }: FastifyRequest['raw']): readonly FieldFault[] {
  const start = url.search(/[?#]/);
  try {
    if (start >= 0) decodeURIComponent(url.slice(start));
    return [];
  } catch {
    return [{ pointer: '/query', detail: 'is not valid percent-encoded UTF-8' }];
  }
}

/** Query values are text: those that the schema calls integers become numbers, in their plain decimal spelling only. */
function readQuery(query: Record<string, unknown>, schema: unknown): Record<string, unknown> {
  const { properties = {} } = schema as { properties?: Record<string, { type?: string }> };
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => {
      const plainInteger = typeof value === 'string' && /^(0|[1-9]\d{0,9})$/.test(value);
      return [name, plainInteger && properties[name]?.type === 'integer' ? Number(value) : value];
    }),
  );
}

const nameable = ({ pointer, detail }: FieldFault): FieldFault => ({
  pointer:
    pointer.length > MAX_POINTER_LENGTH
      ? pointer.slice(0, pointer.lastIndexOf('/')).slice(0, MAX_POINTER_LENGTH).toWellFormed()
      : pointer,
  detail,
});

/** Compiles the check of one route. The body arrives as bytes and leaves as a value. Ends with ProblemError `invalid_request`. */
export function createRequestCheck(schema: FastifySchema): preValidationHookHandler {
  const checkParams = compilePart(schema.params, '/path');
  const checkQuery = compilePart(schema.querystring, '/query');
  const checkHeaders = compilePart(schema.headers, '/header');
  const checkBody = compilePart(schema.body, '');

  const readBody = (request: FastifyRequest): readonly FieldFault[] => {
    if (schema.body === undefined) return [];
    if (!Buffer.isBuffer(request.body)) return [{ pointer: '', detail: 'is required' }];
    const parsed = parseStrictJson(request.body);
    if (parsed.value === undefined) return parsed.faults;
    request.body = parsed.value;
    return [...parsed.faults, ...checkBody(parsed.value)];
  };

  return (request, _reply, done) => {
    if (schema.querystring !== undefined) {
      request.query = readQuery(request.query as Record<string, unknown>, schema.querystring);
    }
    const faults = [
      ...checkParams(request.params),
      ...(schema.querystring === undefined ? [] : queryTextFaults(request.raw)),
      ...checkQuery(request.query),
      ...checkHeaders(request.headers),
      ...readBody(request),
    ];
    if (faults.length === 0) return done();
    const detail =
      faults.length === 1
        ? 'One field is not as it must be.'
        : 'Several fields are not as they must be.';
    return done(
      new ProblemError('invalid_request', detail, {
        errors: faults.slice(0, MAX_FAULTS).map(nameable),
      }),
    );
  };
}
