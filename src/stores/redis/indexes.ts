// Owns reading the index sets: which sessions a tag's bucket or a user holds, which users a bucket holds; live or kept ones only, in order.

import type { Locator } from '../../sessions/session.ts';
import { bucketName } from '../../sessions/session-id.ts';
import type { TagPosition, TagQuery, UserRemoval } from '../../sessions/session-store.ts';
import type { PartRef, UserPosition } from '../../sessions/user-store.ts';
import { ENTRIES_AT_ONCE, NAMES_AT_ONCE } from './index-lua.ts';
import { parseUserMember, partKeys, tagKey, userKey } from './keys.ts';
import type { RunScript, ScriptRunner } from './run-script.ts';

export interface IndexEntry {
  readonly member: string;
  readonly score: number;
}

const entriesOf = (flat: readonly Buffer[]): readonly IndexEntry[] =>
  Array.from({ length: flat.length / 2 }, (_, i) => ({
    member: String(flat[2 * i]),
    score: Number(flat[2 * i + 1]),
  }));

/** Redis orders members of one score by their bytes. */
const isBehind = (entry: IndexEntry, after: IndexEntry | undefined): boolean =>
  after === undefined ||
  entry.score > after.score ||
  Buffer.compare(Buffer.from(entry.member), Buffer.from(after.member)) > 0;

/** The first `count` entries behind `after`, which may share its score with any number of others: in as many slices as it takes. */
async function readBehind(
  slice: (
    lowestScore: number | undefined,
    offset: number,
    size: number,
  ) => Promise<readonly IndexEntry[]>,
  after: IndexEntry | undefined,
  count: number,
  isWanted: (entry: IndexEntry) => boolean = () => true,
): Promise<readonly IndexEntry[]> {
  const found: IndexEntry[] = [];
  // One more than wanted: nearly always the first is the one that we stand on.
  const size = count + 1;
  let [last, offset] = [after, 0];
  while (found.length < count) {
    const entries = await slice(last?.score, offset, size);
    const behind = entries.filter((entry) => isBehind(entry, last));
    found.push(...behind.filter(isWanted));
    if (entries.length < size) break;
    // Behind the last entry and not so many further on: what was dropped meanwhile would count twice. Only within one score is there no other way.
    const end = entries.at(-1) as IndexEntry;
    offset = end.score === last?.score ? offset + size : 0;
    last = behind.at(-1) ?? last;
  }
  return found.slice(0, count);
}

/** The first `count` live entries of an index behind `after`, in order of their scores. */
export const readLive = (
  { run }: ScriptRunner,
  index: string,
  after: IndexEntry | undefined,
  count: number,
): Promise<readonly IndexEntry[]> =>
  readBehind(
    async (lowest = 0, offset, size) =>
      entriesOf((await run('slice', [index], [lowest, offset, size])) as Buffer[]),
    after,
    count,
  );

/** All live entries of an index, so many at once that Redis is not held up; in order of their scores. */
export async function* liveSlices(
  runner: ScriptRunner,
  index: string,
): AsyncGenerator<readonly IndexEntry[]> {
  let slice: readonly IndexEntry[] = [];
  do {
    slice = await readLive(runner, index, slice.at(-1), ENTRIES_AT_ONCE);
    yield slice;
  } while (slice.length === ENTRIES_AT_ONCE);
}

/** One bucket's part of a walk over the sessions of a tag. */
export async function readBucket(
  runner: ScriptRunner,
  query: TagQuery,
  bucket: number,
  after: TagPosition | undefined,
  count: number,
): Promise<readonly TagPosition[]> {
  const behind = after && { score: after.expiresAtMs, member: after.sessionId };
  const found = await readLive(runner, tagKey(query, bucketName(bucket)), behind, count);
  return found.map(({ member, score }) => ({ bucket, expiresAtMs: score, sessionId: member }));
}

/** One bucket's part of a walk over users; those past their retention are left out. */
export async function readUserBucket(
  { run }: ScriptRunner,
  part: PartRef,
  retentionMs: number,
  bucket: number,
  after: UserPosition | undefined,
  count: number,
): Promise<readonly UserPosition[]> {
  const [index] = partKeys(part, bucketName(bucket), part.tag ?? '');
  let forgottenMs = 0;
  const found = await readBehind(
    async (lowest, offset, size) => {
      const [forgotten, ...flat] = (await run(
        'userSlice',
        [index],
        [retentionMs, lowest ?? '-inf', offset, size],
      )) as [Buffer, ...Buffer[]];
      forgottenMs = Number(forgotten);
      return entriesOf(flat);
    },
    after && { score: after.standing, member: after.userId },
    count,
    ({ score }) => Math.abs(score) > forgottenMs,
  );
  return found.map(({ member, score }) => ({ bucket, standing: score, userId: member }));
}

/** All live sessions of a user as locators, newest first. If they are not `ofOneMoment`, one whose place has changed meanwhile may be missing. */
export async function locateUser(
  run: RunScript,
  user: Omit<UserRemoval, 'except'>,
): Promise<{ readonly located: readonly Locator[]; readonly ofOneMoment: boolean }> {
  const members = new Set<string>();
  let [slices, count, lowest, offset] = [0, 0, 0, 0];
  do {
    const reply = (await run('names', [userKey(user)], [lowest, offset, NAMES_AT_ONCE])) as [
      number,
      Buffer,
      Buffer,
    ];
    count = reply[0];
    const last = Number(reply[1]);
    for (const member of count === 0 ? [] : String(reply[2]).split('\n')) members.add(member);
    // The next slice begins with the last score of this one, for others may share it; some come twice.
    [lowest, offset] = [last, last === lowest ? offset + count : 0];
    slices++;
  } while (count === NAMES_AT_ONCE);
  const located = [...members]
    .map((member) => ({ product: user.product, env: user.env, ...parseUserMember(member) }))
    .filter(({ tag }) => user.tag === undefined || tag === user.tag)
    .sort((a, b) => (a.sessionId < b.sessionId ? 1 : -1));
  return { located, ofOneMoment: slices === 1 };
}
