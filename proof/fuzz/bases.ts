// Owns valid requests, made from the OpenAPI document alone, so that a new route is fuzzed without a change here.

import { isObject, type Operation, type Parameter, type Schema } from './contract.ts';
import type { Draft, Header } from './request.ts';

export interface Base {
  readonly operation: Operation;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

type Known = ReadonlyMap<string, string>;

const patterns = new Map<string, RegExp>();

/** Whether a text is as its schema says. */
export function textFits({ pattern, minLength = 0, maxLength }: Schema, text: string): boolean {
  if ([...text].length < minLength) return false;
  if (maxLength !== undefined && [...text].length > maxLength) return false;
  if (pattern === undefined) return true;
  const compiled = patterns.get(pattern) ?? new RegExp(pattern, 'u');
  patterns.set(pattern, compiled);
  return compiled.test(text);
}

/** One good value: what is known for the name, else an example, else the plainest of its type. */
function sample(schema: Schema, name: string, known: Known, optional: boolean): unknown {
  const { type, properties = {}, required = [], examples = [], items } = schema;
  if (type === 'object' && Object.keys(properties).length > 0) {
    const names = Object.keys(properties).filter((each) => optional || required.includes(each));
    return Object.fromEntries(
      names.map((each) => [each, sample(properties[each] ?? {}, each, known, optional)]),
    );
  }
  const plainest: Readonly<Record<string, unknown>> = {
    string: 'x',
    integer: schema.minimum ?? 1,
    number: schema.minimum ?? 1,
    boolean: true,
    object: {},
    array: items ? [sample(items, name, known, optional)] : [],
  };
  const value =
    (type === 'string' ? known.get(name) : undefined) ??
    schema.enum?.[0] ??
    examples[0] ??
    schema.default ??
    plainest[type ?? 'string'];
  if (typeof value === 'string' && !textFits(schema, value)) {
    throw new Error(`no good value is known for ${name}`);
  }
  return value;
}

function bodiesOf(schema: Schema, known: Known): unknown[] {
  const { properties = {}, maxProperties = Number.POSITIVE_INFINITY } = schema;
  const whole = sample(schema, 'body', known, true);
  if (isObject(whole) && Object.keys(properties).length > maxProperties) {
    return Object.entries(whole).map(([name, value]) => ({ [name]: value }));
  }
  const least = sample(schema, 'body', known, false);
  // An empty object has nothing in it to make bad.
  return JSON.stringify(least) === '{}' ? [whole] : [least, whole];
}

/** A value may be known for one operation alone: a cursor opens no other list. */
const knownAs = ({ id }: Operation, name: string, known: Known): string =>
  known.has(`${id} ${name}`) ? `${id} ${name}` : name;

function parametersOf(operation: Operation, known: Known, optional: boolean) {
  const from = (place: Parameter['in']) =>
    Object.fromEntries(
      operation.parameters
        .filter((each) => each.in === place && (each.required === true || optional))
        .map(({ name, schema, example }) => {
          const wanted = example === undefined ? schema : { ...schema, examples: [example] };
          return [name, String(sample(wanted, knownAs(operation, name, known), known, optional))];
        }),
    );
  return { path: from('path'), query: from('query') };
}

/** Valid requests for an operation: with what is required only, and with all that is possible. Throws if there is none. */
export function basesOf(operation: Operation, known: Known): Base[] {
  // Headers that may be absent are: what stands in headers has classes of its own.
  const odd = operation.parameters.find(
    (each) => each.in === 'cookie' || (each.in === 'header' && each.required === true),
  );
  if (odd) throw new Error(`${operation.id}: no base for a parameter in ${odd.in}`);
  const { body } = operation;
  const all = [false, true].flatMap((optional): Base[] => {
    const parameters = parametersOf(operation, known, optional);
    if (body === undefined) return [{ operation, ...parameters }];
    return bodiesOf(body, known).map((each) => ({ operation, ...parameters, body: each }));
  });
  return [...new Map(all.map((base) => [JSON.stringify(base), base])).values()];
}

/** Percent-encoded UTF-8; a lone surrogate as the three bytes that some encoders write. */
export const encodeText = (text: string): string =>
  [...text]
    .map((each) => {
      if (each.isWellFormed()) return encodeURIComponent(each);
      const code = each.charCodeAt(0);
      return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
        .map((byte) => `%${byte.toString(16)}`)
        .join('');
    })
    .join('');

export const pathOf = ({ operation, path }: Base): string =>
  operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeText(path[name] ?? ''));

export const targetOf = (base: Base): string => {
  const query = Object.entries(base.query)
    .map(([name, value]) => `${name}=${encodeText(value)}`)
    .join('&');
  return pathOf(base) + (query === '' ? '' : `?${query}`);
};

/** The request for a base; `text` instead of its body if given. */
export function draftOf(base: Base, rootKey: string, text?: string | Buffer): Draft {
  const { operation, body } = base;
  const written = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers: Header[] = [['host', 'fuzz']];
  if (operation.needsKey) headers.push(['authorization', `Bearer ${rootKey}`]);
  if (written !== undefined) headers.push(['content-type', 'application/json']);
  return {
    method: operation.method,
    target: targetOf(base),
    headers,
    ...(written === undefined ? {} : { body: Buffer.from(written) }),
  };
}
