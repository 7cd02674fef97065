// Owns the Lua that runs inside Redis: each script changes the keys of one slot as one atomic step and answers the same when run twice.
//
// Flags: what must work on a full Redis (reading, revoking, the ring) is flagged `allow-oom`. Nothing is flagged `no-writes`, because such
// a script also runs on a demoted primary, where a revoked session is still alive (ADR 4).

import { MAX_SKEW_MS } from '../../sessions/session-store.ts';
import { HEAD_BYTES } from './record.ts';
import { typeScripts } from './type-scripts.ts';

/** Index members trimmed at most by one write. */
const TRIM = 64;

const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function ms(n) return string.format('%.0f', n) end
`;

/** Drops some expired members, and lets the index expire with its last one. EXPIRE with GT would set nothing on a key without TTL. */
const TIDY = `
local function trim(index)
  local dead = redis.call('ZRANGE', index, '-inf', ms(now), 'BYSCORE', 'LIMIT', 0, ${TRIM})
  if #dead > 0 then redis.call('ZREM', index, unpack(dead)) end
end
local function expire_with_last(index)
  local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
  if last[2] then redis.call('PEXPIREAT', index, last[2]) end
end
local function add(index, score, member)
  trim(index)
  redis.call('ZADD', index, score, member)
  expire_with_last(index)
end
local function remove(index, members)
  trim(index)
  if redis.call('ZREM', index, unpack(members)) > 0 then expire_with_last(index) end
end
`;

/** KEYS session, tag index, user index. ARGV record, expiry, tag member, user member, most sessions of the user, time of creation. */
const CREATE = `#!lua
${NOW}${TIDY}
local head = redis.call('GETRANGE', KEYS[1], 0, ${HEAD_BYTES - 1})
if head ~= '' then
  if head == string.sub(ARGV[1], 1, ${HEAD_BYTES}) then return 'created' end
  return 'taken'
end
if math.abs(now - tonumber(ARGV[6])) > ${MAX_SKEW_MS} then return 'skewed' end
if redis.call('ZCOUNT', KEYS[3], '(' .. ms(now), '+inf') >= tonumber(ARGV[5]) then return 'limit_reached' end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
add(KEYS[2], ARGV[2], ARGV[3])
add(KEYS[3], ARGV[2], ARGV[4])
return 'created'
`;

/** KEYS as above. ARGV new record, new expiry, tag member, user member, head of the record to replace, its expiry. */
const REPLACE = `#!lua
${NOW}${TIDY}
local head = redis.call('GETRANGE', KEYS[1], 0, ${HEAD_BYTES - 1})
if head == string.sub(ARGV[1], 1, ${HEAD_BYTES}) then return 'replaced' end
if head ~= ARGV[5] or now >= tonumber(ARGV[6]) then return 'stale' end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
add(KEYS[2], ARGV[2], ARGV[3])
add(KEYS[3], ARGV[2], ARGV[4])
return 'replaced'
`;

/** KEYS tag index, user index, sessions of this tag and user. ARGV tag member of each, user member of each. Answers how many were there. */
const REMOVE = `#!lua flags=allow-oom
${NOW}${TIDY}
local count = #KEYS - 2
local removed = redis.call('UNLINK', unpack(KEYS, 3))
remove(KEYS[1], {unpack(ARGV, 1, count)})
remove(KEYS[2], {unpack(ARGV, count + 1)})
return removed
`;

/** KEYS a record. Answers the time and the record. */
const READ = `#!lua flags=allow-oom
local t = redis.call('TIME')
return {t[1], t[2], redis.call('GET', KEYS[1])}
`;

/** KEYS an index. ARGV lowest score, offset, count. Answers members and scores of live entries in order of score. */
const SLICE = `#!lua flags=allow-oom
${NOW}
local from = '(' .. ms(now)
if tonumber(ARGV[1]) > now then from = ARGV[1] end
return redis.call('ZRANGE', KEYS[1], from, '+inf', 'BYSCORE', 'LIMIT', ARGV[2], ARGV[3], 'WITHSCORES')
`;

/** KEYS an index. Answers the members of all live entries; without scores, which would cost as much again. */
const MEMBERS = `#!lua flags=allow-oom
${NOW}
return redis.call('ZRANGE', KEYS[1], '(' .. ms(now), '+inf', 'BYSCORE')
`;

/** KEYS a value. ARGV what is there ('' for nothing), what is to be there. */
const SWAP = `#!lua flags=allow-oom
local found = redis.call('GET', KEYS[1]) or ''
if found == ARGV[2] then return 1 end
if found ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
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
  slice: { lua: SLICE },
  members: { lua: MEMBERS },
  swap: { lua: SWAP },
  fence: { lua: FENCE },
  ...typeScripts,
} as const;

export type ScriptName = keyof typeof scripts;
