/** Owns picking a TCP port on 127.0.0.1 that is free at the moment. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range that Linux (32768 and up) and macOS (49152 and up) hand out for outgoing connections: a port from
 * there could be taken by some client while the server under test is down for a restart.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/**
 * A random port that nothing listens on. Another process may still take it first: whoever binds it tries again.
 *
 * @throws Error when a hundred random ports are all taken.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(LOWEST, HIGHEST);
    if (await canListen(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
