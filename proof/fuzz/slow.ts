// Owns slow peers: headers and bodies that drip or stop, and a reader that does not read. Each must end within the service's own times.

import { connect } from 'node:net';
import { REQUEST_TIMEOUT_MS } from '../../src/http/connection.ts';
import { exchange } from '../../test/http/raw-exchange.ts';
import type { Ledger } from './report.ts';

export const SLOW = 'slow headers, body, reader';

/** The time of the service for a whole request, and a few seconds for a busy machine. */
const DEADLINE_MS = REQUEST_TIMEOUT_MS + 10_000;

interface Peer {
  readonly name: string;
  run(): Promise<string>;
  /** The last answer's status, or undefined if a closed socket is enough. */
  readonly ends: number | undefined;
  readonly answers?: number;
}

/** Sends `head` at once and then a piece at a time for as long as the service listens. */
function drip(port: number, head: string, piece: string, everyMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const beat = setInterval(() => socket.writable && socket.write(piece), everyMs);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('the connection stayed open'));
    }, DEADLINE_MS);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(beat);
      clearTimeout(timer);
      resolve(text);
    });
    socket.write(head);
  });
}

/** Sends many requests, reads nothing for a while, and then all. */
function readLate(port: number, requests: string, pauseMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('the connection stayed open'));
    }, DEADLINE_MS);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
    socket.write(requests);
    setTimeout(() => socket.on('data', (chunk) => chunks.push(chunk)), pauseMs);
  });
}

/** Of some 50 KB each: more than the buffers of the kernel hold. */
const MANY = 200;

function peers(port: number, rootKey: string): readonly Peer[] {
  const post = `POST /sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${rootKey}\r\nContent-Type: application/json\r\n`;
  const get = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n';
  const cut = { ends: 408 };
  return [
    { name: 'no byte at all', run: () => exchange(port, '', DEADLINE_MS), ends: undefined },
    { name: 'half a request line', run: () => exchange(port, 'GET /li', DEADLINE_MS), ...cut },
    { name: 'headers that stop', run: () => exchange(port, post, DEADLINE_MS), ...cut },
    { name: 'headers that drip', run: () => drip(port, post, 'X: a\r\n', 400), ...cut },
    { name: 'one letter at a time', run: () => drip(port, post, 'X', 400), ...cut },
    {
      name: 'a body that stops',
      run: () => exchange(port, `${post}Content-Length: 100\r\n\r\n{"product":`, DEADLINE_MS),
      ...cut,
    },
    {
      name: 'a body that drips',
      run: () => drip(port, `${post}Content-Length: 1000\r\n\r\n`, ' ', 400),
      ...cut,
    },
    {
      name: 'chunks that drip',
      run: () => drip(port, `${post}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n', 400),
      ...cut,
    },
    {
      name: 'a body that never follows 100-continue',
      run: () =>
        exchange(port, `${post}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`, DEADLINE_MS),
      ...cut,
    },
    {
      name: 'a reader that does not read for 6 s',
      run: () =>
        readLate(port, `${`${get}\r\n`.repeat(MANY - 1)}${get}Connection: close\r\n\r\n`, 6000),
      ends: 200,
      answers: MANY,
    },
  ];
}

export async function runSlow(port: number, rootKey: string, ledger: Ledger): Promise<void> {
  await Promise.all(
    peers(port, rootKey).map(async ({ name, run, ends, answers: due }) => {
      const fault = (what: string): void =>
        ledger.find({ class: SLOW, operation: 'raw bytes', what, reproduction: name });
      ledger.count(SLOW, due !== undefined);
      try {
        const statuses = [...(await run()).matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) =>
          Number(status),
        );
        if (ends !== undefined && statuses.at(-1) !== ends)
          fault(`ended with ${statuses.at(-1)}, not ${ends}`);
        if (due !== undefined && statuses.length !== due)
          fault(`${statuses.length} answers where ${due} are due`);
      } catch (error) {
        fault((error as Error).message.slice(0, 60));
      }
    }),
  );
}
