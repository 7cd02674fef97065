// Owns what is sent: a request as its parts, as bytes, and as text to send again by hand.

export type Header = readonly [name: string, value: string];

export interface Draft {
  readonly method: string;
  /** As it stands in the request line: percent-encoded, with the query. One character is one byte. */
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body?: Buffer;
}

export const header = (draft: Draft, name: string, value: string): Draft => ({
  ...draft,
  headers: [...without(draft, name).headers, [name, value]],
});

export const without = (draft: Draft, name: string): Draft => ({
  ...draft,
  headers: draft.headers.filter(([each]) => each.toLowerCase() !== name.toLowerCase()),
});

export function toBytes({ method, target, headers, body }: Draft): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const length = body === undefined ? '' : `content-length: ${body.length}\r\n`;
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}${length}\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, body]);
}

const LONGEST = 1500;

const cut = (text: string): string =>
  text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text;

/** A body as text if it is text, else as base64. */
function bodyText(body: Buffer | undefined): string | undefined {
  if (body === undefined) return undefined;
  const text = body.toString();
  return Buffer.from(text).equals(body) ? cut(text) : cut(`base64:${body.toString('base64')}`);
}

/** The request as one line of JSON; `names` says which texts stand for themselves, such as a key or a token of this run. */
export function describe(
  { method, target, headers, body }: Draft,
  names: ReadonlyMap<string, string>,
): string {
  const all = JSON.stringify({
    method,
    path: cut(target),
    headers: headers.map(([name, value]) => [cut(name), cut(value)]),
    body: bodyText(body),
  });
  return [...names].reduce((text, [value, name]) => text.replaceAll(value, `<${name}>`), all);
}
