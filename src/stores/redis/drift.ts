// Owns the recount: everything that is kept about sessions and users, counted once more from the records themselves. An operator's
// command and the proof use it; no request does, for it walks all keys.

import type { Locator, Place } from '../../sessions/session.ts';
import { bucketOf, parseSessionId } from '../../sessions/session-id.ts';
import { primariesOf, type RedisClient } from './connect.ts';
import { liveSlices } from './indexes.ts';
import { partKeys, sessionKey, tagKey, userKey, userMember } from './keys.ts';
import { readSession, timeMs } from './reading.ts';
import type { ScriptRunner } from './run-script.ts';

export interface DriftReport {
  /** Live sessions and parts of users that were recounted. */
  readonly sessions: number;
  readonly parts: number;
  /** Live sessions that an index does not hold, or holds with another expiry. */
  readonly unlisted: number;
  /** Live entries of an index whose session is not there. */
  readonly phantoms: number;
  /** Live sessions whose user does not count as active until they end, and users who count so for longer. */
  readonly usersOff: number;
  /** Parts whose counters are not what their records add up to, or whose records and users differ, or who hold users that are not among those of all tags. */
  readonly countersOff: number;
}

/** `session:{my-app:prd:5f}:user-session:<id>`, as keys.ts writes it. */
const SESSION_KEY = /^session:\{([^:]+):([^:]+):[0-9a-f]{2}\}:([^:]+):([^:]+)$/;
const TAG_KEY = /^tag:\{([^:]+):([^:]+):([0-9a-f]{2})\}:([^:]+)$/;
const USERS_KEY = /^users:\{([^:]+):([^:]+):([0-9a-f]{2})\}(?::([^:]+))?$/;
const SCAN_COUNT = 500;

async function* keysOf(client: RedisClient): AsyncGenerator<string> {
  for (const node of primariesOf(client)) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'COUNT', SCAN_COUNT);
      cursor = next;
      yield* keys;
    } while (cursor !== '0');
  }
}

/** What is wrong with one session: how many of its indexes do not list it, and how many parts of its user end before it. Undefined if it has ended. */
async function auditSession(runner: ScriptRunner, locator: Locator) {
  const { session } = await readSession(runner, locator);
  if (session === undefined) return undefined;
  const bucket = bucketOf(session);
  const keys = [
    tagKey(session, bucket),
    userKey(session),
    partKeys(session, bucket, '')[0],
    partKeys(session, bucket, session.tag)[0],
  ];
  const members = [session.sessionId, userMember(session), session.userId, session.userId];
  const scores = (await runner.run('scores', keys, members)) as unknown[];
  const [nowMs, inTag, inUser, ...ends] = scores.map((score) => Number(score || Number.NaN));
  // Its end may have come between the two readings.
  if (session.expiresAtMs <= Number(nowMs)) return undefined;
  return {
    unlisted: [inTag, inUser].filter((score) => score !== session.expiresAtMs).length,
    usersOff: ends.filter((score) => !(score >= session.expiresAtMs)).length,
  };
}

/** How many live entries of a tag index name a session that is not there. */
async function auditIndex(
  runner: ScriptRunner,
  place: Place & { readonly tag: string },
  index: string,
): Promise<number> {
  let phantoms = 0;
  for await (const slice of liveSlices(runner, index)) {
    for (const { member: sessionId, score } of slice) {
      if (parseSessionId(sessionId) === undefined) phantoms++;
      else {
        const [seconds, microseconds, record] = (await runner.run('read', [
          sessionKey({ ...place, sessionId }),
        ])) as unknown[];
        phantoms += Buffer.isBuffer(record) || score <= timeMs(seconds, microseconds) ? 0 : 1;
      }
    }
  }
  return phantoms;
}

/** How many users of a part count as active until another moment than the expiry of their last session. */
async function auditUsers(
  runner: ScriptRunner,
  place: Place,
  bucket: string,
  tag: string,
): Promise<number> {
  const [index] = partKeys(place, bucket, tag);
  let off = 0;
  for await (const users of liveSlices(runner, index)) {
    for (const { member, score } of users) {
      const sessions = userKey({ ...place, userId: member });
      const [nowMs, ends] = ((await runner.run('lastExpiry', [sessions], [tag])) as unknown[]).map(
        Number,
      );
      off += ends === score || score <= Number(nowMs) ? 0 : 1;
    }
  }
  return off;
}

/** Recounts everything, whoever ends by time meanwhile. Changes that are under way meanwhile may show; what stays when it is run again is drift. Rejects with Outage or an error of the connection. */
export async function reportDrift(client: RedisClient, runner: ScriptRunner): Promise<DriftReport> {
  let [sessions, parts, unlisted, phantoms, usersOff, countersOff] = [0, 0, 0, 0, 0, 0];
  for await (const key of keysOf(client)) {
    const ofSession = SESSION_KEY.exec(key);
    const ofTag = TAG_KEY.exec(key);
    const ofUsers = USERS_KEY.exec(key);
    if (ofSession) {
      const [, product = '', env = '', tag = '', sessionId = ''] = ofSession;
      const audit = await auditSession(runner, { product, env, tag, sessionId });
      sessions += audit ? 1 : 0;
      unlisted += audit?.unlisted ?? 0;
      usersOff += audit?.usersOff ?? 0;
    } else if (ofTag) {
      const [, product = '', env = '', , tag = ''] = ofTag;
      phantoms += await auditIndex(runner, { product, env, tag }, key);
    } else if (ofUsers) {
      const [, product = '', env = '', bucket = '', tag = ''] = ofUsers;
      const place = { product, env };
      parts++;
      const keys = [...partKeys(place, bucket, tag), partKeys(place, bucket, '')[0]];
      countersOff += Number(await runner.run('recount', keys));
      usersOff += await auditUsers(runner, place, bucket, tag);
    }
  }
  return { sessions, parts, unlisted, phantoms, usersOff, countersOff };
}
