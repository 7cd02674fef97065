// Owns the end of the process: no new work, what is under way answered, then out, within the deadline.

import { setTimeout as sleep } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Lifecycle } from './http/routes/probes.ts';
import type { SessionStore } from './sessions/session-store.ts';

/** After this long a connection that is still busy is cut. Docker kills after 10 s. */
const DRAIN_MS = 6_000;
const EXIT_DEADLINE_MS = 9_000;

/** Until there is something to drain, a signal ends the process at once; as process 1 of a container it would otherwise be ignored. */
export function exitOnSignal(): () => void {
  const exit = () => process.exit(0);
  const signals = ['SIGTERM', 'SIGINT'] as const;
  for (const signal of signals) process.once(signal, exit);
  return () => {
    for (const signal of signals) process.off(signal, exit);
  };
}

export interface Drain {
  readonly app: FastifyInstance;
  readonly store: SessionStore;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly noticeMs: number;
}

/** From now on a signal drains: readiness says no, after `noticeMs` the port closes, what is under way is answered, exit code 0. */
export function drainOnSignal({ app, store, lifecycle, logger, noticeMs }: Drain): void {
  closeWithGrace({ delay: EXIT_DEADLINE_MS, logger: false }, async ({ err, signal }) => {
    if (err) logger.fatal({ err }, 'unexpected error, stopping');
    else logger.info({ signal }, 'stopping');
    lifecycle.draining = true;
    await sleep(noticeMs);
    setTimeout(() => app.server.closeAllConnections(), DRAIN_MS).unref();
    await app.close();
    await store.close();
    logger.info('stopped');
  });
}
