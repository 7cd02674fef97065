// Owns bad JSON values: wrong types, missing, null and extra members, numbers, bombs, duplicates.

import { type Base, draftOf } from './bases.ts';
import { isObject } from './contract.ts';
import { type FuzzClass, hasBody, type Tools } from './fuzz-class.ts';
import { changed, type Place, placesIn, valueAt, withRaw } from './places.ts';

const SAMPLES: Readonly<Record<string, readonly string[]>> = {
  boolean: ['true', 'false'],
  number: ['0', '1', '-7', '1.5'],
  string: ['"x"', '""', '"1"', '"true"', '"[object Object]"'],
  array: ['[]', '["user_123"]', '[[]]', '[{}]', '[null]'],
  object: ['{}', '{"x":"x"}', '{"length":1}', '{"toString":"x"}', '{"$gt":""}'],
};
const NUMBERS = [
  ...['1e400', '-1e400', '-0', '-0.0', '-0e5', '9007199254740993', '-9007199254740993', '1e-400'],
  ...['01', '+1', '.5', '1.', '0x10', '1_000', 'NaN', 'Infinity', '-Infinity', '1e', '- 1', '١'],
  ...['1e22', `1${'0'.repeat(400)}`, `0.${'0'.repeat(400)}1`, '1e309', '18446744073709551616'],
];
const EXTRA = ['userId', 'Product', 'product ', 'ttl', 'constructor', 'toString', 'a/b~c', '', '$'];

const typedPlaces = (base: Base) => placesIn(base).filter(({ free }) => !free);
const objectPlaces = (base: Base) =>
  placesIn(base).filter(({ path }) => isObject(valueAt(base.body, path)));

/** Members that cannot be left out. */
const neededPlaces = (base: Base) =>
  typedPlaces(base).filter(
    ({ path, required }) =>
      path.length > 0 &&
      (required || (base.operation.body?.minProperties === 1 && path.length === 1)),
  );
const closedPlaces = (base: Base) =>
  typedPlaces(base).filter(({ schema }) => schema.additionalProperties === false);
const fullPlaces = (base: Base) =>
  objectPlaces(base).filter(({ path }) => JSON.stringify(valueAt(base.body, path)) !== '{}');

const typeOf = ({ schema }: Place): string =>
  schema.type === 'integer' ? 'number' : (schema.type ?? 'object');

/** A class that writes a refused text of the body. */
const refused = (
  name: string,
  write: (base: Base, tools: Tools) => string,
  applies: (base: Base) => boolean = hasBody,
): FuzzClass => ({
  name,
  mixed: false,
  applies,
  mutate: (base, tools) => ({
    draft: draftOf(base, tools.fixtures.rootKey, write(base, tools)),
    expects: 'refusal',
  }),
});

/** The text of an object with one more member in front or behind. */
function withMember(base: Base, { path }: Place, member: string, behind: boolean): string {
  const inner = JSON.stringify(valueAt(base.body, path)).slice(1, -1);
  const parts = inner === '' ? [member] : behind ? [inner, member] : [member, inner];
  return withRaw(base.body, path, `{${parts.join(',')}}`);
}

const bomb = ({ random }: Tools): string => {
  const depth = random.pick([9, 10, 63, 64, 65, 100, 1000, 3000]);
  const count = random.pick([257, 300, 1000, 2500]);
  const keys = Array.from({ length: count }, (_, at) => `"k${at}":0`).join(',');
  return random.pick([
    '['.repeat(depth) + ']'.repeat(depth),
    `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
    '['.repeat(depth * 3),
    `{${keys}}`,
    `{"a":${'{"b":['.repeat(depth)}${']}'.repeat(depth)}}`,
    `{"a":{${keys}},"b":[{${keys}}]}`,
  ]);
};

export const jsonClasses: readonly FuzzClass[] = [
  refused('wrong type', (base, { random }) => {
    const place = random.pick(typedPlaces(base));
    const type = random.pick(Object.keys(SAMPLES).filter((each) => each !== typeOf(place)));
    return withRaw(base.body, place.path, random.pick(SAMPLES[type] ?? []));
  }),
  refused(
    'missing member',
    (base, { random }) => {
      const without = changed(base.body, random.pick(neededPlaces(base)).path, undefined);
      return random.below(20) === 0 ? '{}' : JSON.stringify(without);
    },
    (base) => neededPlaces(base).length > 0,
  ),
  refused('null', (base, { random }) =>
    withRaw(base.body, random.pick(typedPlaces(base)).path, 'null'),
  ),
  refused(
    'extra member',
    (base, { random }) => {
      const place = random.pick(closedPlaces(base));
      const known = Object.keys(place.schema.properties ?? {});
      const name = random.pick([...EXTRA, `x${random.below(1e6)}`, 'n'.repeat(20_000)]);
      const fresh = known.includes(name) ? `${name}_` : name;
      return withMember(base, place, `${JSON.stringify(fresh)}:"x"`, random.below(2) === 0);
    },
    (base) => closedPlaces(base).length > 0,
  ),
  refused('numbers', (base, { random }) => {
    const raw = random.pick(NUMBERS);
    const where = random.pick(placesIn(base).filter(({ path }) => path.length > 0)).path;
    return withRaw(base.body, where, random.pick([raw, `[${raw}]`, `{"n":${raw}}`]));
  }),
  refused('depth and key bombs', (base, tools) =>
    withRaw(base.body, tools.random.pick(placesIn(base)).path, bomb(tools)),
  ),
  refused(
    'duplicate keys',
    (base, { random }) => {
      const place = random.pick(fullPlaces(base));
      const members = Object.entries(valueAt(base.body, place.path) as object);
      const [name, value] = random.pick(members);
      const first = name.charCodeAt(0).toString(16).padStart(4, '0');
      const spelling = random.pick([JSON.stringify(name), `"\\u${first}${name.slice(1)}"`]);
      const member = `${spelling}:${random.pick([JSON.stringify(value), '"x"', 'null', '{}'])}`;
      return withMember(base, place, member, random.below(2) === 0);
    },
    (base) => fullPlaces(base).length > 0,
  ),
  refused('__proto__', (base, { random }) => {
    const name = random.pick(['"__proto__"', '"\\u005f_proto__"', '"__pro\\u0074o__"']);
    const value = random.pick(['{"admin":true}', '[]', 'null', '1', '{"toString":1}']);
    return withMember(base, random.pick(objectPlaces(base)), `${name}:${value}`, true);
  }),
  refused('broken JSON', (base, { random }) => {
    const text = JSON.stringify(base.body);
    const at = 1 + random.below(text.length - 1);
    return random.pick([
      text.slice(0, at),
      `${text}${random.pick(['}', ']', ',', 'x', '\0', text, '//', ' 1'])}`,
      `${random.pick(['{', ',', 'x', '/**/', ")]}',\n", '\u00a0', '\u2028'])}${text}`,
      text.replaceAll('"', "'"),
      text.replace(/\}$/, ',}'),
      random.pick(['', ' ', 'undefined', '{', '"', '[', '{"a":undefined}', '\0']),
    ]);
  }),
];
