// Owns the Lua that runs inside Redis: each script changes the keys of one slot as one atomic step and answers the same when run twice.
//
// Flags: what must work on a full Redis (reading, revoking, the ring) is flagged `allow-oom`. Nothing is flagged `no-writes`, because such
// a script also runs on a demoted primary, where a revoked session is still alive (ADR 4).

import { MAX_LATENESS_MS, MAX_SKEW_MS } from '../../sessions/session-store.ts';
import { documentScripts } from './document-scripts.ts';
import { NOW, TIDY } from './index-lua.ts';
import { FORBIDDEN, HEAD_BYTES } from './record.ts';
import { USERS } from './user-lua.ts';
import { userScripts } from './user-scripts.ts';

/** A start whose time is further from the store's than MAX_SKEW_MS creates nothing, so it is forbidden long enough after twice that. */
const FORBIDDEN_MS = 12 * MAX_SKEW_MS;

/** Sessions that one start evicts at most at once. */
const EVICT = 100;

/**
 * KEYS of every write: tag index, user index, users of all tags, their records, users of the tag, their records, parts of the bucket;
 * then sessions. ARGV of a write: record, expiry, session id, tag, user id, retention, moment of the start or last refresh.
 */
const WRITE = `
local record, expiry, id, tag, user, seen = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[7])
retention = tonumber(ARGV[6])
local head = redis.call('GETRANGE', KEYS[8], 0, ${HEAD_BYTES - 1})
local written = head == string.sub(record, 1, ${HEAD_BYTES})
local function write(started, shortened)
  redis.call('SET', KEYS[8], record, 'PXAT', expiry)
  add(KEYS[1], expiry, id)
  add(KEYS[2], expiry, id .. ':' .. tag)
  see(user, tag, seen, started, expiry, shortened)
end
`;

/**
 * KEYS and ARGV of a write; then most sessions of the user and, if they are limited, most of them under this tag and what to do then.
 * Answers the outcome and the ids that were evicted, or with 'skewed' the time; 'again' if more have to be evicted before there is room.
 */
const CREATE = `#!lua
${NOW}${TIDY}${USERS}${WRITE}
if written then return {'created'} end
if head ~= '' then return {'taken'} end
if math.abs(now - seen) > ${MAX_SKEW_MS} then return {'skewed', ms(now)} end

local live = redis.call('ZCOUNT', KEYS[2], '(' .. ms(now), '+inf')
-- How many live sessions of the user under this tag are too many if one more is to start, and ids of the oldest of these, as many as may go at once.
local function in_excess(most)
  if live < most then return live - most + 1, {} end
  local suffix, count, oldest = ':' .. tag, 0, {}
  local members = redis.call('ZRANGE', KEYS[2], '(' .. ms(now), '+inf', 'BYSCORE')
  local first
  for _, member in ipairs(members) do
    if string.sub(member, -#suffix) == suffix then
      count = count + 1
      if not first or member < first then first = member end
    end
  end
  local room = math.min(count - most + 1, ${EVICT})
  if room <= 0 or ARGV[10] == 'reject' then return count - most + 1, oldest end
  -- Nearly always: not worth another walk.
  if room == 1 then return 1, {string.sub(first, 1, -#suffix - 1)} end
  for _, member in ipairs(members) do
    if string.sub(member, -#suffix) == suffix then
      -- Kept in order, the oldest first; what is older than the youngest of them takes its place.
      local at = #oldest
      while at > 0 and member < oldest[at] do at = at - 1 end
      if at < room then
        table.insert(oldest, at + 1, member)
        oldest[room + 1] = nil
      end
    end
  end
  for i, member in ipairs(oldest) do oldest[i] = string.sub(member, 1, -#suffix - 1) end
  return count - most + 1, oldest
end
local excess, oldest = 0, {}
if ARGV[9] then excess, oldest = in_excess(tonumber(ARGV[9])) end
if excess > 0 and ARGV[10] == 'reject' then return {'limit_reached'} end
excess = math.max(excess, 0)
if live - excess >= tonumber(ARGV[8]) then return {'limit_reached'} end

local again = excess > #oldest
local sessions, members = {}, {}
-- Keys that nobody declared, but of this slot: while it is being moved, EXISTS fails for one that has gone ahead, before anything is written.
local prefix = string.sub(KEYS[8], 1, -#id - 1)
for i, old in ipairs(oldest) do
  sessions[i], members[i] = prefix .. old, old .. ':' .. tag
  redis.call('EXISTS', sessions[i])
end
if #oldest > 0 then
  redis.call('UNLINK', unpack(sessions))
  remove(KEYS[1], oldest)
  remove(KEYS[2], members)
  leave(user, tag)
end
if not again then write(1, false) end
return {again and 'again' or 'created', unpack(oldest)}
`;

/** KEYS and ARGV of a write; then head of the record to replace, its expiry, and for a rotation 1. */
const REPLACE = `#!lua
${NOW}${TIDY}${USERS}${WRITE}
if written then return 'replaced' end
if head ~= ARGV[8] or now >= tonumber(ARGV[9]) then return 'stale' end
if ARGV[10] == '1' and now - seen > ${MAX_LATENESS_MS} then return 'stale' end
write(0, tonumber(expiry) < tonumber(ARGV[9]))
return 'replaced'
`;

/** KEYS of a write, any number of sessions of one user and tag. ARGV tag, user id, retention, id of each session. Answers how many were there. */
const REMOVE = `#!lua flags=allow-oom
${NOW}${TIDY}${USERS}
local tag, user, ids, members = ARGV[1], ARGV[2], {unpack(ARGV, 4)}, {}
retention = tonumber(ARGV[3])
for i, id in ipairs(ids) do members[i] = id .. ':' .. tag end
local removed = redis.call('UNLINK', unpack(KEYS, 8))
remove(KEYS[1], ids)
remove(KEYS[2], members)
if removed > 0 then leave(user, tag) end
return removed
`;

/** KEYS a record. Answers the time and the record. */
const READ = `#!lua flags=allow-oom
local t = redis.call('TIME')
return {t[1], t[2], redis.call('GET', KEYS[1])}
`;

/** KEYS a session. ARGV the head of its record, '' if it is gone. Answers 1 if that is so. */
const COMPARE = `#!lua flags=allow-oom
local head = redis.call('GETRANGE', KEYS[1], 0, ${HEAD_BYTES - 1})
if head == '${FORBIDDEN}' then head = '' end
return head == ARGV[1] and 1 or 0
`;

/** KEYS an index. ARGV lowest score, offset, count. Answers members and scores of live entries in order of score. */
const SLICE = `#!lua flags=allow-oom
${NOW}
local from = '(' .. ms(now)
if tonumber(ARGV[1]) > now then from = ARGV[1] end
return redis.call('ZRANGE', KEYS[1], from, '+inf', 'BYSCORE', 'LIMIT', ARGV[2], ARGV[3], 'WITHSCORES')
`;

/**
 * KEYS an index. ARGV lowest score, offset among those from it on, count. Answers how many live members there are of these, the score of the
 * last, and all as one text: a reply of thousands costs the reader ten times as much. No member holds a line break.
 */
const NAMES = `#!lua flags=allow-oom
${NOW}
local from, offset = ARGV[1], ARGV[2]
if tonumber(from) <= now then from, offset = '(' .. ms(now), 0 end
local members = redis.call('ZRANGE', KEYS[1], from, '+inf', 'BYSCORE', 'LIMIT', offset, ARGV[3])
local last = #members > 0 and redis.call('ZSCORE', KEYS[1], members[#members]) or 0
return {#members, last, table.concat(members, '\\n')}
`;

/** KEYS a value. ARGV what is there ('' for nothing), what is to be there. */
const SWAP = `#!lua flags=allow-oom
local found = redis.call('GET', KEYS[1]) or ''
if found == ARGV[2] then return 1 end
if found ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`;

/** KEYS a claim. ARGV its text, life in milliseconds. Answers the text that is there afterwards. */
const CLAIM = `#!lua
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')
return redis.call('GET', KEYS[1])
`;

/** KEYS a claim. ARGV what it says, what it is to say ('' to be gone). */
const REPLACE_CLAIM = `#!lua flags=allow-oom
local found = redis.call('GET', KEYS[1]) or ''
if found == ARGV[2] then return 1 end
if found ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL') end
return 1
`;

/** KEYS a session. Answers 0 if it exists. Else a byte that is no record holds its place until no start can still be on its way to it. */
const FORBID = `#!lua flags=allow-oom
local head = redis.call('GETRANGE', KEYS[1], 0, 0)
if head ~= '' and head ~= '${FORBIDDEN}' then return 0 end
redis.call('SET', KEYS[1], '${FORBIDDEN}', 'PX', ${FORBIDDEN_MS})
return 1
`;

/** KEYS the fence. Leaves nothing behind; its only purpose is a write for WAIT to wait for. */
const FENCE = `#!lua flags=allow-oom
redis.call('SET', KEYS[1], '', 'PX', 1000)
redis.call('DEL', KEYS[1])
return 1
`;

export const scripts = {
  create: { lua: CREATE },
  replace: { lua: REPLACE },
  remove: { lua: REMOVE },
  read: { lua: READ },
  compare: { lua: COMPARE },
  slice: { lua: SLICE },
  names: { lua: NAMES },
  swap: { lua: SWAP },
  claim: { lua: CLAIM },
  replaceClaim: { lua: REPLACE_CLAIM },
  forbid: { lua: FORBID },
  fence: { lua: FENCE },
  ...userScripts,
  ...documentScripts,
} as const;

export type ScriptName = keyof typeof scripts;
