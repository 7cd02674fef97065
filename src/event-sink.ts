// Owns what becomes of the core's events: each is counted and written to the log, at a level of its own.

import type { Logger } from 'pino';
import type { Metrics } from './http/metrics.ts';
import type { EmitEvent, SessionEventName } from './sessions/events.ts';

/** What happens all the time is in the request's own line already. */
const eventLevels = {
  session_started: 'debug',
  session_refreshed: 'debug',
  session_refresh_replayed: 'debug',
  session_refresh_reused: 'warn',
  session_rotation_recovered: 'warn',
  session_revoked: 'info',
  session_evicted: 'info',
  session_details_changed: 'debug',
  user_erased: 'info',
  user_sessions_revoked: 'info',
  session_claims_dropped: 'warn',
  session_type_changed: 'info',
  session_type_removed: 'info',
  api_key_created: 'info',
  api_key_rotated: 'info',
  api_key_revoked: 'info',
  signing_key_added: 'info',
} as const satisfies Record<SessionEventName, string>;

/** Where the core's events go: a counter and a line in the log. */
export const eventSink =
  (logger: Logger, metrics: Pick<Metrics, 'countEvent'>): EmitEvent =>
  (event) => {
    metrics.countEvent(event);
    const level = eventLevels[event.name];
    if (!logger.isLevelEnabled(level)) return;
    const { name, ...about } = event;
    logger[level](about, name);
  };
