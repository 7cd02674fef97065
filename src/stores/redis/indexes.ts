// Owns reading the index sets: which sessions a tag's bucket or a user holds, live ones only, in order.

import type { Locator } from '../../sessions/session.ts';
import { bucketName } from '../../sessions/session-id.ts';
import type { TagPosition, TagQuery, UserRemoval } from '../../sessions/session-store.ts';
import { parseUserMember, tagKey, userKey } from './keys.ts';
import type { ScriptRunner } from './run-script.ts';

interface IndexEntry {
  readonly member: string;
  readonly score: number;
}

/** Live entries of an index from `lowestScore` on, in order. */
async function readIndex(
  { run }: ScriptRunner,
  index: string,
  lowestScore: number,
  offset: number,
  count: number,
): Promise<readonly IndexEntry[]> {
  const flat = (await run('slice', [index], [lowestScore, offset, count])) as Buffer[];
  return Array.from({ length: flat.length / 2 }, (_, i) => ({
    member: String(flat[2 * i]),
    score: Number(flat[2 * i + 1]),
  }));
}

/** One bucket's part of a walk. Entries of the same millisecond as the cursor are told apart by id, in as many slices as it takes. */
export async function readBucket(
  runner: ScriptRunner,
  query: TagQuery,
  bucket: number,
  after: TagPosition | undefined,
  count: number,
): Promise<readonly TagPosition[]> {
  const index = tagKey(query, bucketName(bucket));
  const found: TagPosition[] = [];
  for (let offset = 0; found.length < count; offset += count) {
    const entries = await readIndex(runner, index, after?.expiresAtMs ?? 0, offset, count);
    for (const { member, score } of entries) {
      const seen = after && score === after.expiresAtMs && member <= after.sessionId;
      if (!seen) found.push({ bucket, expiresAtMs: score, sessionId: member });
    }
    if (entries.length < count) break;
  }
  return found.slice(0, count);
}

/** All live sessions of a user as locators, newest first. */
export async function locateUser(
  runner: ScriptRunner,
  user: Omit<UserRemoval, 'except'>,
): Promise<readonly Locator[]> {
  const members = (await runner.run('members', [userKey(user)])) as Buffer[];
  return members
    .map((member) => ({
      product: user.product,
      env: user.env,
      ...parseUserMember(member.toString()),
    }))
    .filter(({ tag }) => user.tag === undefined || tag === user.tag)
    .sort((a, b) => (a.sessionId < b.sessionId ? 1 : -1));
}
