// Owns broken framing and pipelining: bytes on a connection of their own, each ending in an answer and a closed socket.

import type { Redis } from 'ioredis';
import { exchange, readAnswers } from '../../test/http/raw-exchange.ts';
import { judge } from './oracle.ts';
import type { Random } from './random.ts';
import type { Ledger } from './report.ts';
import { changedKeys, readState, restoreState, type StoreState } from './store-state.ts';

export const FRAMING = 'framing and pipelining';

interface Deps {
  readonly count: number;
  readonly random: Random;
  readonly port: number;
  readonly redis: Redis;
  readonly state: StoreState;
  readonly rootKey: string;
  readonly ledger: Ledger;
}

interface Exchange {
  readonly bytes: Buffer;
  /** How many answers must come at most, and at least one. */
  readonly answers: number;
  readonly expects: 'refusal' | 'any';
}

const BODY = '{"product":"my-app","env":"prd","tag":"user-session","data":{"userId":"user_123"}}';
const GET = 'GET /livez HTTP/1.1\r\nHost: x\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const CHUNK = `${BODY.length.toString(16)}\r\n${BODY}\r\n`;

const lengthLines = (random: Random): string =>
  random.pick([
    `${LENGTH}${CHUNKED}`,
    `${CHUNKED}${LENGTH}`,
    `${LENGTH}Content-Length: ${random.below(500)}0\r\n`,
    `Content-Length: ${random.pick(['-1', '+5', 'ten', '0x10', '1e2', '1 2', '5,6', '9'.repeat(30), '१'])}\r\n`,
    `Content-Length: ${BODY.length}, 0\r\n`,
    `Transfer-Encoding: ${random.pick(['chunked, gzip', 'chunked, chunked', 'gzip', 'xchunked', 'identity', 'chunked;a', '"chunked"'])}\r\n`,
    `${CHUNKED}Transfer-Encoding: identity\r\n`,
    `Transfer-Encoding : chunked\r\n`,
    `Content-Length : ${BODY.length}\r\n`,
    `X: a\rb\r\n`,
    `X: a\nContent-Length: 5\r\n`,
    `\0: a\r\n`,
    `X: a\0b\r\n`,
    `X${random.pick([' ', '\t', '(', ')', '@', ',', ';', '\\', '"', '/', '[', ']', '?', '=', '{', '}', 'é'])}Y: a\r\n`,
    `nonsense\r\n`,
    `: a\r\n`,
    `X: ${'x'.repeat(17_000)}\r\n`,
  ]);

const chunks = (random: Random): string =>
  random.pick([
    'xyz\r\n',
    `-5\r\n${BODY}\r\n0\r\n\r\n`,
    `0x10\r\n${BODY}\r\n0\r\n\r\n`,
    `2\r\n${BODY}\r\n0\r\n\r\n`,
    ` ${CHUNK}0\r\n\r\n`,
    `${'f'.repeat(17)}\r\n`,
    `${CHUNK}0\n\n`,
    `${CHUNK}-1\r\n\r\n`,
    `${CHUNK}zz\r\n\r\n`,
    `5\n${BODY}\r\n`,
    `${CHUNK}0\r\nX Y: a\r\n\r\n`,
    `${CHUNK}0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    `1;${'x'.repeat(20_000)}\r\n{\r\n`,
    `${CHUNK}\r\n0\r\n\r\n`,
  ]);

const HTTP_0_9 = 'GET /livez\r\n\r\n';
const LINES = [
  HTTP_0_9,
  ...[
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'SSH-2.0-x\r\n',
    '\x16\x03\x01\x00\xc8\x01\x00',
    'GET\r\n\r\n',
  ],
  ...['GET /livez HTTP/9.9\r\n\r\n', 'GET  HTTP/1.1\r\n\r\n', '*1\r\n$4\r\nPING\r\n'],
  ...['GET /livez HTTP/1.1 x\r\n\r\n', 'get /livez HTTP/1.1\r\n\r\n', 'GET /a b HTTP/1.1\r\n\r\n'],
  ...[
    'GET /livez HTTP/1.1\nHost: x\r\r\n',
    '{"product":"x"}\r\n\r\n',
    '\0\0\0\0\r\n\r\n',
    'A'.repeat(70_000),
  ],
  ...[
    'GET /livez HTTP/1.1\r\n Host: x\r\n\r\n',
    'GET\t/livez\tHTTP/1.1\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
  ],
];

/** One byte of a good request changed, but not of its end, which closes the connection. */
function damaged(random: Random): Exchange {
  const bytes = Buffer.from(`${GET}X-Y: z\r\nConnection: close\r\n\r\n`, 'latin1');
  bytes[random.below(GET.length + 6)] = random.below(256);
  return { bytes, answers: 1, expects: 'any' };
}

function pipelined(random: Random, key: string): Exchange {
  const count = 2 + random.below(30);
  const targets = ['/livez', '/nowhere', '/readyz', '/sessions/-/-/-', '/sessions'];
  const requests = Array.from({ length: count }, (_, at) => {
    const close = at === count - 1 ? 'Connection: close\r\n' : '';
    return `GET ${random.pick(targets)} HTTP/1.1\r\nHost: x\r\n${key}${close}\r\n`;
  });
  return { bytes: Buffer.from(requests.join('')), answers: count, expects: 'any' };
}

function make(random: Random, rootKey: string): Exchange {
  const key = `Authorization: Bearer ${rootKey}\r\n`;
  const post = `POST /sessions HTTP/1.1\r\nHost: x\r\n${key}Content-Type: application/json\r\n`;
  const refused = (text: string): Exchange => ({
    bytes: Buffer.from(text, 'latin1'),
    answers: 1,
    // Node reads a line without a version as HTTP/0.9, which is harmless: it can carry no key.
    expects: text === HTTP_0_9 ? 'any' : 'refusal',
  });
  return random.pick([
    () => refused(`${post}${lengthLines(random)}\r\n${BODY}`),
    () => refused(`${post}${CHUNKED}\r\n${chunks(random)}`),
    () => refused(random.pick(LINES)),
    // What is left over after a broken request must never be read as one.
    () =>
      refused(
        `${post}${lengthLines(random)}\r\n0\r\n\r\n${post}${LENGTH}Connection: close\r\n\r\n${BODY}`,
      ),
    () => damaged(random),
    () => pipelined(random, key),
  ])();
}

async function faultsOf({ bytes, answers: most, expects }: Exchange, port: number) {
  let text: string;
  try {
    text = await exchange(port, bytes);
  } catch (error) {
    return { faults: [(error as Error).message.slice(0, 60)], accepted: false };
  }
  const answers = readAnswers(text);
  const draft = { method: 'RAW', target: '', headers: [] };
  const faults = answers.flatMap((answer) =>
    judge({ mutation: { draft, expects } }, { ...answer, milliseconds: 0 }),
  );
  const right =
    expects === 'refusal' || most === 1 ? answers.length === 1 : answers.length === most;
  if (!right) faults.push(`${answers.length} answers where ${most} are due`);
  const accepted = answers.some(({ status }) => status < 300);
  return { faults, accepted };
}

const AT_ONCE = 16;

/** Sends all of them, and looks whether anything in the store has changed: none of them may. */
export async function runFraming({ count, random, port, redis, state, rootKey, ledger }: Deps) {
  await restoreState(redis, state);
  let before = await readState(redis);
  for (let sent = 0; sent < count; sent += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - sent);
    const exchanges = Array.from({ length: size }, () => make(random, rootKey));
    const results = await Promise.all(exchanges.map((each) => faultsOf(each, port)));
    const after = await readState(redis);
    const reproduction = ({ bytes }: Exchange): string =>
      JSON.stringify(bytes.toString('latin1').replaceAll(rootKey, '<ROOT_API_KEY>').slice(0, 2000));
    for (const [at, each] of exchanges.entries()) {
      const { faults = [], accepted = false } = results[at] ?? {};
      ledger.count(FRAMING, accepted);
      for (const what of faults) {
        ledger.find({
          class: FRAMING,
          operation: 'raw bytes',
          what,
          reproduction: reproduction(each),
        });
      }
    }
    if (changedKeys(before, after).length > 0) {
      const all = exchanges.map(reproduction).join('\n  ');
      ledger.find({
        class: FRAMING,
        operation: 'raw bytes',
        what: 'one of these changed a key',
        reproduction: all,
      });
    }
    before = after;
  }
}
