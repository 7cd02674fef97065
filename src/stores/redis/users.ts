// Owns the port of users on Redis: readings of what the scripts of sessions keep, and erasure.

import type { Place } from '../../sessions/session.ts';
import { BUCKET_COUNT, bucketName, bucketOf } from '../../sessions/session-id.ts';
import type { Activity, PartRef, User, UserQuery, UserStore } from '../../sessions/user-store.ts';
import { addActivities, weekdayOf } from '../activity.ts';
import { walkBuckets } from '../bucket-walk.ts';
import { readUserBucket } from './indexes.ts';
import { bucketTagsKey, tagKey, userKey, userPartKeys } from './keys.ts';
import type { ScriptRunner } from './run-script.ts';

/** Tags whose parts one script erases a user from; each adds two keys. */
const TAGS_AT_ONCE = 100;
/** Buckets asked at once for their numbers. */
const BUCKETS_AT_ONCE = 32;

const text = (value: unknown): string => String(value);

async function readUser(
  { run }: ScriptRunner,
  retentionMs: number,
  query: UserQuery,
): Promise<User | undefined> {
  const { userId, tag } = query;
  const [firstSeen, lastSeen, sessions, live] = (await run(
    'user',
    [...userPartKeys(query, bucketOf(query), tag), userKey(query)],
    [retentionMs, userId, tag ?? ''],
  )) as unknown[];
  if (firstSeen === undefined) return undefined;
  return {
    userId,
    firstSeenAtMs: Number(firstSeen),
    lastSeenAtMs: Number(lastSeen),
    totalSessions: Number(sessions),
    activeSessions: Number(live),
  };
}

/** The tags that may have users in a bucket. */
const tagsOf = async ({ run }: ScriptRunner, at: Place, bucket: string): Promise<string[]> =>
  ((await run('tags', [bucketTagsKey(at, bucket)])) as unknown[]).map(text);

/** One bucket's numbers, of users that are kept only: asks again as long as there were forgotten ones to drop. */
async function countBucket(
  { run }: ScriptRunner,
  retentionMs: number,
  part: PartRef,
  bucket: string,
): Promise<Activity> {
  const { tag } = part;
  const last = tag === undefined ? bucketTagsKey(part, bucket) : tagKey({ ...part, tag }, bucket);
  const keys = [...userPartKeys(part, bucket, tag), last];
  for (;;) {
    const reply = await run('activity', keys, [retentionMs, tag === undefined ? 0 : 1]);
    const [dropped, active, left, expired, counters, rest] = reply as [
      number,
      number,
      number,
      number,
      number[],
      number | unknown[],
    ];
    if (dropped > 0) continue;
    const [sessions = 0, today = 0, ...newUsers] = counters;
    const indexes = Array.isArray(rest)
      ? rest.map((each) => tagKey({ ...part, tag: text(each) }, bucket))
      : [];
    const live = indexes.length > 0 ? await run('live', indexes) : 0;
    return {
      activeUsers: active,
      inactiveUsers: left,
      expiredUsers: expired,
      newUsersToday: newUsers[0] ?? 0,
      newUsersThisWeek: newUsers
        .slice(0, weekdayOf(today) + 1)
        .reduce((sum, each) => sum + each, 0),
      totalSessions: sessions,
      activeSessions: Array.isArray(rest) ? Number(live) : rest,
    };
  }
}

/** `retentionMs`: how long a user is kept after its last session. */
export function createRedisUsers(runner: ScriptRunner, retentionMs: number): UserStore {
  return {
    readUser: (query) => readUser(runner, retentionMs, query),
    async listUsers(query) {
      const { limit, after, ...part } = query;
      const found = await walkBuckets(
        (bucket, from, count) => readUserBucket(runner, part, retentionMs, bucket, from, count),
        after,
        limit + 1,
      );
      const page = found.slice(0, limit);
      const users = await Promise.all(
        page.map(({ userId }) => readUser(runner, retentionMs, { ...part, userId })),
      );
      return {
        users: users.flatMap((user) => user ?? []),
        next: found.length > limit ? page.at(-1) : undefined,
      };
    },
    async eraseUser(user) {
      const bucket = bucketOf(user);
      const tagsKey = bucketTagsKey(user, bucket);
      const tags = [...(await tagsOf(runner, user, bucket)), undefined];
      for (let done = 0; done < tags.length; done += TAGS_AT_ONCE) {
        const some = tags.slice(done, done + TAGS_AT_ONCE);
        const parts = some.flatMap((tag) => userPartKeys(user, bucket, tag));
        const keys = [userKey(user), tagsKey, ...parts];
        const args = [user.userId, ...some.map((tag) => tag ?? '')];
        const [erased] = await runner.runDurably('erase', { keys, args });
        if (Number(erased) === 0) return false;
      }
      return true;
    },
    async countActivity(part) {
      const counted: Activity[] = [];
      for (let first = 0; first < BUCKET_COUNT; first += BUCKETS_AT_ONCE) {
        const some = Array.from({ length: BUCKETS_AT_ONCE }, (_, i) => bucketName(first + i));
        counted.push(
          ...(await Promise.all(
            some.map((bucket) => countBucket(runner, retentionMs, part, bucket)),
          )),
        );
      }
      return addActivities(counted);
    },
  };
}
