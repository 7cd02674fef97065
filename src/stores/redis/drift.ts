// Owns the recount: everything that is kept about sessions and users, counted once more from the records themselves. An operator's
// command and the proof use it; no request does, for it walks all keys.

import { Cluster, type Redis } from 'ioredis';
import { bucketName, parseSessionId } from '../../sessions/session-id.ts';
import type { RedisClient } from './connect.ts';
import { sessionKey, tagKey, userKey, userMember, userPartKeys } from './keys.ts';
import { decodeRecord, isForbidden } from './record.ts';
import type { ScriptRunner } from './run-script.ts';

export interface DriftReport {
  /** Live sessions and parts of users that were recounted. */
  readonly sessions: number;
  readonly parts: number;
  /** Live sessions that an index does not hold, or holds with another expiry. */
  readonly unlisted: number;
  /** Live entries of an index whose session is not there. */
  readonly phantoms: number;
  /** Live sessions whose user does not count as active until they end. */
  readonly usersOff: number;
  /** Parts whose counters are not what their records add up to, or whose records and users differ. */
  readonly countersOff: number;
}

/** `session:{my-app:prd:5f}:user-session:<id>`, as keys.ts writes it. */
const SESSION_KEY = /^session:\{([^:]+):([^:]+):[0-9a-f]{2}\}:([^:]+):([^:]+)$/;
const TAG_KEY = /^tag:\{([^:]+):([^:]+):([0-9a-f]{2})\}:([^:]+)$/;
const RECORDS_KEY = /^user-records:\{([^:]+):([^:]+):([0-9a-f]{2})\}(?::([^:]+))?$/;
const SCAN_COUNT = 500;

async function* keysOf(client: RedisClient): AsyncGenerator<string> {
  const nodes: Redis[] = client instanceof Cluster ? client.nodes('master') : [client];
  for (const node of nodes) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'COUNT', SCAN_COUNT);
      cursor = next;
      yield* keys;
    } while (cursor !== '0');
  }
}

/** What is wrong with one session: how many of its indexes do not list it, and how many parts of its user end before it. */
async function auditSession(client: RedisClient, { run }: ScriptRunner, parts: string[]) {
  const [product = '', env = '', tag = '', sessionId = ''] = parts;
  const locator = { product, env, tag, sessionId };
  const record = await client.getBuffer(sessionKey(locator));
  if (record === null || isForbidden(record)) return undefined;
  const session = decodeRecord(record, locator);
  const bucket = sessionId.slice(0, 2);
  const keys = [
    tagKey(session, bucket),
    userKey(session),
    userPartKeys(session, bucket)[0],
    userPartKeys(session, bucket, tag)[0],
  ];
  const members = [sessionId, userMember(session), session.userId, session.userId];
  const scores = (await run('scores', keys, members)) as unknown[];
  const [inTag, inUser, ...ends] = scores.map((score) => Number(score || Number.NaN));
  return {
    unlisted: [inTag, inUser].filter((score) => score !== session.expiresAtMs).length,
    usersOff: ends.filter((score) => !(score >= session.expiresAtMs)).length,
  };
}

/** Recounts everything. Changes that are under way meanwhile may show; what stays when it is run again is drift. Rejects with Outage or an error of the connection. */
export async function reportDrift(client: RedisClient, runner: ScriptRunner): Promise<DriftReport> {
  let [sessions, parts, unlisted, phantoms, usersOff, countersOff] = [0, 0, 0, 0, 0, 0];
  for await (const key of keysOf(client)) {
    const ofSession = SESSION_KEY.exec(key);
    const ofTag = TAG_KEY.exec(key);
    const ofRecords = RECORDS_KEY.exec(key);
    if (ofSession) {
      const audit = await auditSession(client, runner, ofSession.slice(1));
      sessions += audit ? 1 : 0;
      unlisted += audit?.unlisted ?? 0;
      usersOff += audit?.usersOff ?? 0;
    } else if (ofTag) {
      const [, product = '', env = '', , tag = ''] = ofTag;
      const ids = (await runner.run('members', [key])) as Buffer[];
      for (const id of ids) {
        const at = { product, env, tag, sessionId: String(id) };
        const exists = parseSessionId(at.sessionId) && (await client.exists(sessionKey(at)));
        phantoms += exists ? 0 : 1;
      }
    } else if (ofRecords) {
      const [, product = '', env = '', bucket = bucketName(0), tag] = ofRecords;
      parts++;
      countersOff += Number(
        await runner.run('recount', userPartKeys({ product, env }, bucket, tag)),
      );
    }
  }
  return { sessions, parts, unlisted, phantoms, usersOff, countersOff };
}
