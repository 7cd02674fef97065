// Owns the names of keys in Redis. All keys of a bucket share one hash tag, so that one script can change them together on any cluster.

import type { Locator, Place, UserRef } from '../../sessions/session.ts';
import { bucketOf, parseSessionId, userDigest } from '../../sessions/session-id.ts';

/** The ring of signing keys is the one key outside the hierarchy. */
export const RING_KEY = 'session-mint:signing-ring';

/** Never written: a place to ask the time at. */
export const CLOCK_KEY = 'session-mint:clock';

const USER_HASH_BYTES = 16;

const slotTag = ({ product, env }: Place, bucket: string): string =>
  `{${product}:${env}:${bucket}}`;

const bucketIn = (sessionId: string): string => {
  const parsed = parseSessionId(sessionId);
  if (parsed === undefined) throw new TypeError('not a session id');
  return parsed.bucket;
};

const sessionIn = (slot: string, { tag, sessionId }: Locator): string =>
  `session:${slot}:${tag}:${sessionId}`;

export const sessionKey = (at: Locator): string =>
  sessionIn(slotTag(at, bucketIn(at.sessionId)), at);

const tagIn = (slot: string, tag: string): string => `tag:${slot}:${tag}`;

export const tagKey = (at: Place & { readonly tag: string }, bucket: string): string =>
  tagIn(slotTag(at, bucket), at.tag);

function userIn(slot: string, user: UserRef): string {
  const hash = Buffer.from(userDigest(user).slice(0, USER_HASH_BYTES), 'latin1');
  return `user:${slot}:${hash.toString('base64url')}`;
}

/** The user's own bucket is the first byte of the digest; the key carries 128 bits of it. */
export const userKey = (user: UserRef): string => userIn(slotTag(user, bucketOf(user)), user);

/**
 * The fence in the slot of another key: it exists for no longer than one script, something to write when nothing else is, so
 * that WAIT has a write to wait for. A key without hash tag is its own slot.
 */
export const fenceKeyBeside = (key: string): string =>
  `fence:${/\{.*?\}/.exec(key)?.[0] ?? `{${key}}`}`;

/** Session types of a product. */
export const typesKey = (product: string): string => `types:{${product}}`;

/** A collection of the service itself, beside the ring. */
export const ownKey = (collection: string): string => `session-mint:${collection}`;

/** A claim on an idempotency key; `name` is a digest. Without hash tag: a slot of its own. */
export const claimKey = (name: string): string => `idempotency:${name}`;

/** A user's index names each session with its tag, which the session key needs. */
export const userMember = ({ sessionId, tag }: Locator): string => `${sessionId}:${tag}`;

export function parseUserMember(member: string): {
  readonly sessionId: string;
  readonly tag: string;
} {
  const [sessionId = '', tag = ''] = member.split(':');
  return { sessionId, tag };
}

const partIn = (slot: string, tag: string): [string, string] =>
  tag === ''
    ? [`users:${slot}`, `user-records:${slot}`]
    : [`users:${slot}:${tag}`, `user-records:${slot}:${tag}`];
const partsIn = (slot: string): string => `user-parts:${slot}`;

/** The two keys of the users of a bucket, under one tag or all (''): by how they stand; their records and the counters made of them. */
export const partKeys = (at: Place, bucket: string, tag: string): [string, string] =>
  partIn(slotTag(at, bucket), tag);

/** The parts of a bucket: the tags that have users in it, and '' for all, with the moment until which each is kept. */
export const partsKey = (at: Place, bucket: string): string => partsIn(slotTag(at, bucket));

/** The keys that change together with sessions of one user under one tag, in the order the scripts expect; those of the sessions come last. */
export function writeKeys(...sessions: readonly [Locator & UserRef, ...Locator[]]): string[] {
  const [first] = sessions;
  // The bucket that the ids of its sessions name as well.
  const slot = slotTag(first, bucketOf(first));
  return [
    tagIn(slot, first.tag),
    userIn(slot, first),
    ...partIn(slot, ''),
    ...partIn(slot, first.tag),
    partsIn(slot),
    ...sessions.map((each) => sessionIn(slot, each)),
  ];
}
