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

export interface Drain {
  readonly app: FastifyInstance;
  readonly store: SessionStore;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly noticeMs: number;
}

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
