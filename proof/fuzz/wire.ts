// Owns sending bytes over kept-alive sockets, several at a time, and reading what comes back: a client library would mend the request.

import { connect, type Socket } from 'node:net';

export interface Answer {
  /** 0 if the connection ended, or stayed silent, without an answer. */
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly milliseconds: number;
}

export interface Wire {
  send(bytes: Buffer, method: string): Promise<Answer>;
  close(): void;
}

const PATIENCE_MS = 15_000;
const HEAD_END = Buffer.from('\r\n\r\n');

type Read = Omit<Answer, 'milliseconds'> & { readonly length: number };

/** The first answer in the bytes, undefined while it has not arrived whole. */
export function readAnswer(bytes: Buffer, bodiless: boolean): Read | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1] ?? 0);
  const start = end + HEAD_END.length;
  if (status === 100) {
    const rest = readAnswer(bytes.subarray(start), bodiless);
    return rest && { ...rest, length: rest.length + start };
  }
  const size = bodiless || status === 204 ? 0 : Number(headers.get('content-length') ?? 0);
  if (bytes.length < start + size) return undefined;
  const body = bytes.toString('utf8', start, start + size);
  return { status, headers, body, length: start + size };
}

/** One connection, opened when it is first needed and again after the service has closed it. */
function createLine(port: number): Wire {
  let socket: Socket | undefined;
  const send = (bytes: Buffer, method: string): Promise<Answer> =>
    new Promise((resolve) => {
      const started = performance.now();
      const used = socket ?? connect({ port, host: '127.0.0.1', noDelay: true });
      socket = used;
      let received: Buffer = Buffer.alloc(0);
      const settle = (answer: Omit<Answer, 'milliseconds'>, keep: boolean): void => {
        clearTimeout(timer);
        used.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error');
        used.on('error', () => undefined);
        if (!keep) {
          used.destroy();
          socket = undefined;
        } else used.once('close', forget);
        resolve({ ...answer, milliseconds: performance.now() - started });
      };
      const forget = (): void => {
        if (socket === used) socket = undefined;
      };
      const silent = (why: string): void =>
        settle({ status: 0, headers: new Map(), body: why }, false);
      const timer = setTimeout(() => silent('no answer in time'), PATIENCE_MS);
      used.removeAllListeners('close').removeAllListeners('error');
      used.on('error', () => undefined);
      used.on('close', () => silent(`closed after ${received.length} bytes`));
      used.on('data', (chunk: Buffer) => {
        received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
        const answer = readAnswer(received, method === 'HEAD');
        if (!answer) return;
        const keep =
          answer.headers.get('connection') !== 'close' && answer.length === received.length;
        settle(answer, keep);
      });
      used.write(bytes);
    });
  return { send, close: () => void socket?.destroy() };
}

export interface Wires {
  /** Sends all, some at a time; answers in the order of the requests. */
  sendAll(requests: readonly { bytes: Buffer; method: string }[]): Promise<Answer[]>;
  close(): void;
}

export function createWires(port: number, count = 16): Wires {
  const lines = Array.from({ length: count }, () => createLine(port));
  let busy = false;
  return {
    async sendAll(requests) {
      // A line takes one request at a time: answers would get mixed up.
      if (busy) throw new Error('the wires are busy');
      busy = true;
      const answers: Answer[] = [];
      let next = 0;
      const work = async (line: Wire): Promise<void> => {
        for (let at = next++; at < requests.length; at = next++) {
          const { bytes, method } = requests[at] as (typeof requests)[number];
          answers[at] = await line.send(bytes, method);
        }
      };
      await Promise.all(lines.map(work));
      busy = false;
      return answers;
    },
    close: () => {
      for (const line of lines) line.close();
    },
  };
}
