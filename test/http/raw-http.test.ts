// Owns the proof of what the real process answers to bytes on a socket: broken, malicious and slow requests, each with a problem document.

import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROBLEM_KINDS, type ProblemCode } from '../../src/http/problem.ts';
import { type ServiceProcess, startService, TEST_ROOT_KEY } from '../support/service-process.ts';
import { type Problem, START } from './api.ts';
import { exchange, type RawAnswer, readAnswers } from './raw-exchange.ts';

let service: ServiceProcess;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.stop());

async function answersTo(request: string | Buffer, bodiless = false): Promise<RawAnswer[]> {
  return readAnswers(await exchange(service.port, request), bodiless);
}

async function answerTo(request: string | Buffer, bodiless = false): Promise<RawAnswer> {
  const [answer, ...more] = await answersTo(request, bodiless);
  if (!answer) throw new Error('the service closed the connection without an answer');
  expect(more).toEqual([]);
  return answer;
}

function expectProblem({ status, headers, body }: RawAnswer, code: ProblemCode): void {
  expect((JSON.parse(body) as Problem).code).toBe(code);
  expect(status).toBe(PROBLEM_KINDS[code].status);
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json(; charset=utf-8)?$/);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('content-length')).toBe(String(Buffer.byteLength(body)));
}

const HOST = 'Host: x\r\n';
const KEY = `Authorization: Bearer ${TEST_ROOT_KEY}\r\n`;
const CLOSE = 'Connection: close\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';
const BODY = JSON.stringify(START);
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const POST = `POST /sessions HTTP/1.1\r\n${HOST}${KEY}${JSON_TYPE}`;

const countSessions = async () => {
  const list = await service.call('/sessions/my-app/prd/user-session?limit=100');
  return ((await list.json()) as { sessions: unknown[] }).sessions.length;
};

describe('a broken request', () => {
  const BROKEN: Readonly<Record<string, string | Buffer>> = {
    'of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'of another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
    'of TLS': Buffer.from('16030100c8010000c40303', 'hex'),
    'with an unknown method': `BREW /livez HTTP/1.1\r\n${HOST}\r\n`,
    'with a method in small letters': `get /livez HTTP/1.1\r\n${HOST}\r\n`,
    'without an address': `GET  HTTP/1.1\r\n${HOST}\r\n`,
    'with a space in the address': `GET /live z HTTP/1.1\r\n${HOST}\r\n`,
    'with a space before a colon': `GET /livez HTTP/1.1\r\nHost : x\r\n\r\n`,
    'with a header without a colon': `GET /livez HTTP/1.1\r\n${HOST}nonsense\r\n\r\n`,
    'with a NUL in a header': `GET /livez HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`,
    'with a folded header': `${POST}X: a\r\n b\r\n${CLOSE.replace(':', ' :')}\r\n`,
    'with both lengths': `${POST}${LENGTH}${CHUNKED}\r\n0\r\n\r\n`,
    'with two different lengths': `${POST}${LENGTH}Content-Length: 5\r\n\r\n${BODY}`,
    'with a negative length': `${POST}Content-Length: -1\r\n\r\n`,
    'with a length in words': `${POST}Content-Length: ten\r\n\r\n`,
    'with a length beyond numbers': `${POST}Content-Length: 99999999999999999999\r\n\r\n`,
    'with an unknown transfer encoding': `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n`,
    'with a bad chunk size': `${POST}${CHUNKED}\r\nxyz\r\n`,
    'with a negative chunk size': `${POST}${CHUNKED}\r\n-5\r\nhello\r\n0\r\n\r\n`,
    'with a chunk longer than it says': `${POST}${CHUNKED}\r\n2\r\n${BODY}\r\n0\r\n\r\n`,
  };

  test.each(Object.entries(BROKEN))(
    '%s is 400, the connection is closed, nothing is started',
    async (_, request) => {
      const answer = await answerTo(request);
      expectProblem(answer, 'invalid_request');
      expect(answer.headers.get('connection')).toBe('close');
      expect(await countSessions()).toBe(0);
    },
  );

  test('without a Host is 400, but not in HTTP/1.0, which knew none', async () => {
    expectProblem(await answerTo(`GET /livez HTTP/1.1\r\n${CLOSE}\r\n`), 'invalid_request');
    expect((await answerTo('GET /livez HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  test('with headers beyond 16 KiB is 431', async () => {
    const long = 'x'.repeat(17 * 1024);
    expectProblem(
      await answerTo(`GET /livez HTTP/1.1\r\n${HOST}X: ${long}\r\n\r\n`),
      'headers_too_large',
    );
    expectProblem(await answerTo(`GET /${long} HTTP/1.1\r\n${HOST}\r\n`), 'headers_too_large');
  });

  test('that expects anything but 100-continue is 417', async () => {
    const answer = await answerTo(`${POST}${LENGTH}Expect: foo\r\n\r\n${BODY}`);
    expectProblem(answer, 'expectation_failed');
    expect(await countSessions()).toBe(0);
  });

  test('whose body is too large by its announcement is 413 before it is sent', async () => {
    const answer = await answerTo(`${POST}${CLOSE}Content-Length: 1000000\r\n\r\n`);
    expectProblem(answer, 'content_too_large');
  });

  test('whose chunked body grows too large is 413', async () => {
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    const answer = await answerTo(`${POST}${CLOSE}${CHUNKED}\r\n${chunk.repeat(3)}0\r\n\r\n`);
    expectProblem(answer, 'content_too_large');
  });

  test('whose body stops coming is cut with 408 within 12 seconds', async () => {
    const started = performance.now();
    const answer = await answerTo(`${POST}${LENGTH}\r\n${BODY.slice(0, 20)}`);
    expectProblem(answer, 'request_timeout');
    expect(performance.now() - started).toBeLessThan(12_000);
    expect(await countSessions()).toBe(0);
  });
});

describe('an address that clients would tidy up', () => {
  test.each([
    '/sessions/../livez',
    '/./livez',
    '/livez/.',
    '/%2e%2e/livez',
    '/sessions/%2e%2e/livez',
    '\\livez',
    '//livez',
    '/livez\\',
    '/sessions/my-app/prd/..',
  ])('%s is not tidied up', async (path) => {
    const answer = await answerTo(`GET ${path} HTTP/1.1\r\n${HOST}${KEY}${CLOSE}\r\n`);
    expect([400, 404]).toContain(answer.status);
    expectProblem(answer, answer.status === 404 ? 'not_found' : 'invalid_request');
  });
});

describe('a connection', () => {
  test('answers pipelined requests in their order', async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}${KEY}`;
    const answers = await answersTo(
      `${get('/livez')}\r\n${get('/nowhere')}\r\n${get('/sessions/-/-/-')}\r\n${get('/readyz')}${CLOSE}\r\n`,
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 400, 200]);
  });

  test('keeps serving after a refusal with a body', async () => {
    const wrong = `POST /sessions HTTP/1.1\r\n${HOST}${JSON_TYPE}${LENGTH}\r\n${BODY}`;
    const answers = await answersTo(`${wrong}GET /livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    expect(answers.map(({ status }) => status)).toEqual([401, 200]);
  });

  test('that is given up in the middle of a body starts nothing', async () => {
    const socket = connect(service.port, '127.0.0.1');
    await new Promise<void>((resolve) => {
      socket.write(`${POST}${LENGTH}\r\n${BODY.slice(0, -1)}`, () => resolve());
    });
    socket.resetAndDestroy();
    expect(await countSessions()).toBe(0);
  });

  test('HEAD has the headers of GET and no body', async () => {
    const head = await answerTo(`HEAD /livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`, true);
    const get = await answerTo(`GET /livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
  });

  test.each(['OPTIONS', 'TRACE', 'PUT', 'PATCH'])('%s is 405 with Allow', async (method) => {
    const answer = await answerTo(`${method} /sessions HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers.get('allow')).toBe('POST');
  });

  test('takes the absolute form of an address, as proxies send it', async () => {
    const answer = await answerTo(`GET http://x/livez HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
    expect(answer.status).toBe(200);
  });

  test('does not reflect a method, a header or an address in what it says', async () => {
    const answer = await answerTo(
      `GET /marker-in-path?marker HTTP/1.1\r\n${HOST}X: marker\r\n${CLOSE}\r\n`,
    );
    expect(answer.body).not.toContain('marker');
  });
});
