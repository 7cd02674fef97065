// Owns bad addresses: tricks with the path, and queries polluted with what does not belong there.

import { type Base, draftOf, encodeText, pathOf } from './bases.ts';
import { always, type FuzzClass, type Tools } from './fuzz-class.ts';
import type { Random } from './random.ts';

const percent = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

/** `piece` put in at some slash of the path. */
function atSlash(path: string, piece: string, random: Random): string {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index);
  const at = random.pick([...slashes, path.length]);
  return path.slice(0, at) + piece + path.slice(at);
}

const PIECES = [
  ...['/', '//', '/.', '/..', '/%2e', '/%2e%2e', '/%2E%2e', '%2f', '%2F..', '/..;', ';a=b', '/;/'],
  ...['\\', '/..\\', '%5c', '%5c..', '%00', '%0a', '%0d%0a', '%23', '%3f', '%', '%2', '%zz', '%25'],
  ...['%252e%252e', '%c0%ae', '%c0%af', '%u002e', '%ef%bc%8f', '.json', '~', '/*', '/:', '/:id'],
  ...[
    '#',
    '#/livez',
    '/__proto__',
    '/constructor',
    '*',
    '|',
    '^',
    '`',
    '"',
    '<',
    '>',
    '{',
    '}',
    '\xff',
  ],
];

const WHOLE: readonly ((path: string, tools: Tools) => string)[] = [
  (path) => `http://evil.example${path}`,
  (path) => `http://a:b@evil.example:99999${path}`,
  (path) => `//evil.example${path}`,
  (path) => `///${path}`,
  (path) => `ftp://x${path}`,
  (path) => `javascript:${path}`,
  (path) => path.toUpperCase(),
  (path) => percent(path),
  (path) => `/${percent(path.slice(1))}`,
  (path) => `${path}/`,
  (path) => `${path}?`,
  (path) => `${path}#fragment`,
  (path) => `${path}?#`,
  (path) => path.slice(1),
  (path) => path.slice(0, -1),
  () => '*',
  () => '/',
  () => '/*',
  () => '?',
  (path, { random }) => `${path}/${'a/'.repeat(random.pick([10, 500, 4000]))}`,
  (path, { random }) => `${path}${'x'.repeat(random.pick([300, 3100, 8200, 15_000, 17_000]))}`,
  (path, { random }) => `${path}?${'x'.repeat(random.pick([8000, 8200, 15_000]))}`,
  (_, { random }) => `/${encodeText(random.bytes(20).toString('latin1'))}`,
  (_, { random }) =>
    `/${random
      .bytes(30)
      .toString('latin1')
      .replaceAll(/[\s\0\r\n]/g, '')}`,
];

/** Queries that no route takes, whatever it takes. */
const POLLUTION = [
  ...['x=1', 'Limit=1', 'limit[]=1', 'limit[0]=1', 'limit[$gt]=1', '__proto__=1', '__proto__[x]=1'],
  ...['constructor[prototype][x]=1', 'constructor=1', 'toString=1', 'hasOwnProperty=1', '=1', 'a='],
  ...['a&b', 'userId[]=x', 'userid=x', '%75serId2=x', 'a=%zz', 'a=%', 'a=%ff', 'a=%c0%af'],
  ...['a%00=1', 'method=DELETE', '_method=DELETE', 'access_token=x', 'callback=alert', 'a=1;b=2'],
];
const BAD_INTEGERS = [
  ...['0', '-1', '101', '1e1', '1.0', '+1', '01', ' 1', '1 ', '0x10', '', 'abc', 'NaN', 'Infinity'],
  ...['9007199254740993', '99999999999', '1,1', '１', 'null', 'true', '[]', '1\0', '1%'],
];

function pollutedQuery(base: Base, { random }: Tools): string {
  const own = Object.entries(base.query).map(([name, value]) => `${name}=${encodeText(value)}`);
  const integers = base.operation.parameters.filter(
    ({ in: where, schema }) => where === 'query' && schema.type === 'integer',
  );
  const names = base.operation.parameters.filter(({ in: where }) => where === 'query');
  const kind = random.below(4);
  if (kind === 0 && own.length > 0) {
    const name = random.pick(Object.keys(base.query));
    return [...own, `${name}=${random.pick(['', 'x', encodeText(base.query[name] ?? '')])}`].join(
      '&',
    );
  }
  if (kind === 1 && integers.length > 0) {
    const { name } = random.pick(integers);
    const others = own.filter((each) => !each.startsWith(`${name}=`));
    return [...others, `${name}=${encodeText(random.pick(BAD_INTEGERS))}`].join('&');
  }
  if (kind === 2 && names.length > 0) {
    const { name } = random.pick(names);
    return [...own, `${name}[]=x`, `${name}[x]=y`].join('&');
  }
  if (kind === 3 && random.below(6) === 0) {
    return Array.from({ length: random.pick([40, 600, 1500]) }, (_, at) => `k${at}=0`).join('&');
  }
  const bad = random.pick(POLLUTION);
  return random.below(2) === 0 ? [...own, bad].join('&') : [bad, ...own].join('&');
}

export const addressClasses: readonly FuzzClass[] = [
  {
    name: 'path tricks',
    mixed: true,
    applies: always,
    mutate(base, tools) {
      const { random, fixtures } = tools;
      const path = pathOf(base);
      const target =
        random.below(3) === 0
          ? random.pick(WHOLE)(path, tools)
          : atSlash(path, random.pick(PIECES), random);
      const draft = { ...draftOf(base, fixtures.rootKey), target };
      return { draft, expects: 'any', anyRoute: true };
    },
  },
  {
    name: 'query pollution',
    mixed: true,
    applies: always,
    mutate(base, tools) {
      const draft = draftOf(base, tools.fixtures.rootKey);
      const target = `${pathOf(base)}?${pollutedQuery(base, tools)}`;
      // Probes and readers of public keys have habits of their own.
      const expects = base.operation.needsKey ? 'refusal' : 'any';
      return { draft: { ...draft, target }, expects };
    },
  },
];
