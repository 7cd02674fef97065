// Owns the bytes of a session in Redis: a version, the revision at a fixed place for the scripts, then msgpack (a tenth less than JSON).

import { Decoder, Encoder } from '@msgpack/msgpack';
import { Outage } from '../../sessions/errors.ts';
import {
  type ClientFacts,
  type JsonObject,
  type Locator,
  REVISION_BYTES,
  type Session,
} from '../../sessions/session.ts';

const VERSION = 1;

/** Made once: each would otherwise allocate its 2 KiB of scratch space at every record. */
const encoder = new Encoder();
const decoder = new Decoder();

/** Stands where a session must not appear any more: no record begins with it. */
export const FORBIDDEN = '-';

export const isForbidden = (record: Buffer): boolean => record.toString() === FORBIDDEN;

/** Version and revision: what a script compares. */
export const HEAD_BYTES = 1 + REVISION_BYTES;

/** Times are kept as distances from the creation: small numbers pack into few bytes. */
type Fields = [
  userId: string,
  details: string,
  clientId: string,
  seed: Uint8Array,
  createdAtMs: number,
  refreshedAfterMs: number,
  expiresAfterMs: number,
  absoluteAfterMs: number,
  generation: number,
  tokenExpiresAtSeconds: number,
  epoch: number,
  /** What most sessions do not have; absent when empty, and passed over by programs that do not know it. */
  rare?: Rare,
];

interface Rare {
  /** Claims as JSON. */
  readonly c?: string;
  /** Whether the successor was seen. */
  readonly s?: boolean;
  /** Whether it was given new times. */
  readonly r?: true;
  /** What is known of the client. */
  readonly k?: ClientFacts;
}

function rareOf({ claims, successorSeen, renewed, client }: Session): [Rare] | [] {
  if (!claims && successorSeen === undefined && !renewed && !client) return [];
  return [
    {
      ...(claims === undefined ? {} : { c: JSON.stringify(claims) }),
      ...(successorSeen === undefined ? {} : { s: successorSeen }),
      ...(renewed ? { r: true } : {}),
      ...(client ? { k: client } : {}),
    },
  ];
}

export const headOf = (record: Buffer): Buffer => record.subarray(0, HEAD_BYTES);

export const encodeHead = (session: Session): Buffer =>
  Buffer.concat([Buffer.of(VERSION), session.revision]);

export function encodeRecord(session: Session): Buffer {
  const fields: Fields = [
    session.userId,
    JSON.stringify(session.details),
    session.clientId,
    session.seed,
    session.createdAtMs,
    session.refreshedAtMs - session.createdAtMs,
    session.expiresAtMs - session.createdAtMs,
    session.absoluteExpiresAtMs - session.createdAtMs,
    session.generation,
    session.tokenExpiresAtSeconds,
    session.epoch,
    ...rareOf(session),
  ];
  const packed = encoder.encodeSharedRef(fields);
  const record = Buffer.allocUnsafe(HEAD_BYTES + packed.length);
  record[0] = VERSION;
  record.set(session.revision, 1);
  record.set(packed, HEAD_BYTES);
  return record;
}

/**
 * Reads a record found under `locator`. Throws Outage for a version that this program does not know: during a rolling upgrade
 * that is a session all the same, and must not be taken for an absent one.
 */
export function decodeRecord(record: Buffer, locator: Locator): Session {
  if (record[0] !== VERSION) throw new Outage('record: of a version unknown to this program');
  const [
    userId,
    details,
    clientId,
    seed,
    createdAtMs,
    refreshedAfterMs,
    expiresAfterMs,
    absoluteAfterMs,
    generation,
    tokenExpiresAtSeconds,
    epoch,
    rare,
  ] = decoder.decode(record.subarray(HEAD_BYTES)) as Fields;
  const { product, env, tag, sessionId } = locator;
  const session: Session = {
    product,
    env,
    tag,
    sessionId,
    userId,
    details: JSON.parse(details) as JsonObject,
    clientId,
    seed,
    revision: record.subarray(1, HEAD_BYTES),
    createdAtMs,
    refreshedAtMs: createdAtMs + refreshedAfterMs,
    expiresAtMs: createdAtMs + expiresAfterMs,
    absoluteExpiresAtMs: createdAtMs + absoluteAfterMs,
    generation,
    tokenExpiresAtSeconds,
    epoch,
  };
  if (rare === undefined) return session;
  return {
    ...session,
    ...(rare.c === undefined ? {} : { claims: JSON.parse(rare.c) as JsonObject }),
    ...(rare.s === undefined ? {} : { successorSeen: rare.s }),
    ...(rare.r ? { renewed: true } : {}),
    ...(rare.k ? { client: rare.k } : {}),
  };
}
