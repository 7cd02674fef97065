// Owns the port of users on Redis: readings of what the scripts of sessions keep, and erasure.

import { BUCKET_COUNT, bucketName, bucketOf } from '../../sessions/session-id.ts';
import type { Activity, PartRef, User, UserQuery, UserStore } from '../../sessions/user-store.ts';
import { addActivities, weekdayOf } from '../activity.ts';
import { walkBuckets } from '../bucket-walk.ts';
import { locateUser, readUserBucket } from './indexes.ts';
import { partKeys, partsKey, tagKey, userKey } from './keys.ts';
import type { ScriptRunner } from './run-script.ts';

/** Buckets asked at once for their numbers. */
const BUCKETS_AT_ONCE = 32;

const text = (value: unknown): string => String(value);

async function readUser(
  runner: ScriptRunner,
  retentionMs: number,
  query: UserQuery,
): Promise<User | undefined> {
  const { userId, tag = '' } = query;
  const bucket = bucketOf(query);
  const [firstSeen, lastSeen, sessions, live] = (await runner.run(
    'user',
    [...partKeys(query, bucket, tag), userKey(query)],
    [retentionMs, userId, tag],
  )) as unknown[];
  if (firstSeen === undefined) return undefined;
  return {
    userId,
    firstSeenAtMs: Number(firstSeen),
    lastSeenAtMs: Number(lastSeen),
    totalSessions: Number(sessions),
    activeSessions:
      Number(live) < 0 ? (await locateUser(runner.run, query)).located.length : Number(live),
  };
}

/** One bucket's numbers, of users that are kept only: asks again as long as there were forgotten ones to drop. */
async function countBucket(
  { run }: ScriptRunner,
  retentionMs: number,
  part: PartRef,
  bucket: string,
): Promise<Activity> {
  const { tag = '' } = part;
  const keys = [
    ...partKeys(part, bucket, tag),
    partsKey(part, bucket),
    tagKey({ ...part, tag }, bucket),
  ];
  for (;;) {
    const reply = await run('activity', keys, [retentionMs, tag]);
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
    const tags = Array.isArray(rest) ? rest.map(text).filter((each) => each !== '') : [];
    const indexes = tags.map((each) => tagKey({ ...part, tag: each }, bucket));
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
      const keys = [userKey(user), partsKey(user, bucketOf(user))];
      const [erased] = await runner.runDurably('erase', { keys, args: [user.userId] });
      return Number(erased) === 1;
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
