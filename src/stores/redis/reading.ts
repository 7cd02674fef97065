// Owns reading one session together with the time in Redis.

import { isLive, type Locator, type Session } from '../../sessions/session.ts';
import type { Reading } from '../../sessions/session-store.ts';
import { sessionKey } from './keys.ts';
import { decodeRecord, isForbidden } from './record.ts';
import type { ScriptRunner } from './run-script.ts';

/** The time as Redis tells it. */
export const timeMs = (seconds: unknown, microseconds: unknown): number =>
  Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);

const decodeLive = (record: unknown, locator: Locator, nowMs: number): Session | undefined => {
  if (!Buffer.isBuffer(record) || isForbidden(record)) return undefined;
  const session = decodeRecord(record, locator);
  return isLive(session, nowMs) ? session : undefined;
};

/** The session if it is live, and the time at which that was so. Rejects with Outage. */
export async function readSession({ run }: ScriptRunner, locator: Locator): Promise<Reading> {
  const [seconds, microseconds, record] = (await run('read', [sessionKey(locator)])) as unknown[];
  const nowMs = timeMs(seconds, microseconds);
  return { nowMs, session: decodeLive(record, locator, nowMs) };
}
