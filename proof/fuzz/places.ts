// Owns finding every place in a body or in the parameters of a request, and putting something else there.

import { type Base, textFits } from './bases.ts';
import { isObject, type Json, type Schema } from './contract.ts';

export interface Place {
  readonly path: readonly string[];
  readonly schema: Schema;
  /** Inside of, or itself, an object of any shape. */
  readonly free: boolean;
  readonly required: boolean;
}

const isFree = ({ type, properties }: Schema): boolean =>
  type === 'object' && properties === undefined;

/** Every place in a body, the body itself first, also in what the schema leaves open. */
export function placesIn(base: Base): Place[] {
  const walk = (value: unknown, { path, schema, free, required }: Place): Place[] => {
    const inside = free || isFree(schema);
    const inner = isObject(value) ? Object.entries(value) : [];
    return [
      { path, schema, free, required },
      ...inner.flatMap(([name, each]) =>
        walk(each, {
          path: [...path, name],
          schema: schema.properties?.[name] ?? {},
          free: inside,
          required: schema.required?.includes(name) ?? false,
        }),
      ),
    ];
  };
  const schema = base.operation.body;
  if (schema === undefined) return [];
  return walk(base.body, { path: [], schema, free: false, required: true });
}

export const valueAt = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, name) => (inner as Json)[name], value);

/** A copy of `value` with what is at `path` replaced; removed if `by` is undefined. */
export function changed(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  const { [name]: inner, ...others } = value as Json;
  const next = rest.length === 0 ? by : changed(inner, rest, by);
  return next === undefined ? others : { ...others, [name]: next };
}

const MARK = '@@raw@@';

/** The body as text, with `raw` standing at `path` as it is. */
export const withRaw = (body: unknown, path: readonly string[], raw: string): string =>
  JSON.stringify(changed(body, path, MARK)).replace(`"${MARK}"`, () => raw);

/** A place for text: in the body, in the path or in the query. */
export interface TextPlace {
  readonly name: string;
  readonly schema: Schema;
  readonly where: 'body' | 'path' | 'query';
  readonly free: boolean;
  readonly path: readonly string[];
}

export function textPlaces(base: Base): TextPlace[] {
  const inBody = placesIn(base)
    .filter(({ path, free, schema }) =>
      free ? typeof valueAt(base.body, path) === 'string' : schema.type === 'string',
    )
    .map(({ path, schema, free }): TextPlace => {
      return { name: path.at(-1) ?? '', schema, where: 'body', free, path };
    });
  const parameters = base.operation.parameters.filter(
    (each) => each.schema.type === 'string' && each.name in { ...base.path, ...base.query },
  );
  return [
    ...inBody,
    ...parameters.map(({ name, schema, in: where }): TextPlace => {
      return { name, schema, where: where === 'path' ? 'path' : 'query', free: false, path: [] };
    }),
  ];
}

export function withText(base: Base, { where, name, path }: TextPlace, text: string): Base {
  if (where === 'body') return { ...base, body: changed(base.body, path, text) };
  return { ...base, [where]: { ...base[where], [name]: text } };
}

/** Names whose values only the service can make. */
const SEALED = new Set(['token', 'refreshToken', 'cursor']);

/** Whether a text at this place, one that the service did not make, may be accepted at all. */
export const mayFit = ({ schema, free, name }: TextPlace, text: string): boolean =>
  text.isWellFormed() && (free || (textFits(schema, text) && !SEALED.has(name)));
