// Owns the Lua that keeps the users of a bucket: who they are, when they were seen, and the numbers made of them (ADR 14).
//
// Users are kept in parts: one for each tag, one for all tags together, which is written ''. A part is a sorted set of users and a hash of
// their records and counters. The parts of a bucket are a sorted set too, by the moment until which each is kept. A user's score says how it stands: the moment its last session runs out, or minus the moment its last session was
// ended. Either way the absolute value is the moment from which its retention counts.

import { MAX_SKEW_MS } from '../../sessions/session-store.ts';
import { NOW } from './index-lua.ts';

/** Users past their retention that one write drops at most from a part. */
const DROP = 32;
/** How much longer than its users a part may live. */
const SLACK_MS = 3_600_000;
/** Users past their retention that a reader of numbers drops at once; it asks until none is left. */
const DROP_AT_ONCE = 256;

/** Needs NOW; a script sets the retention in milliseconds and the key of the bucket's parts if it uses them. */
export const USERS = `
local DAY, retention, parts = 86400000
local function today() return math.floor(now / DAY) end

-- Sessions started by the users of a part; the day; users first seen that day and on each of the six before.
local function unpack_counters(packed)
  local counters = packed and cmsgpack.unpack(packed) or {0, today(), 0, 0, 0, 0, 0, 0, 0}
  local passed = today() - counters[2]
  if passed > 0 then
    for i = 9, 3, -1 do counters[i] = i - passed >= 3 and counters[i - passed] or 0 end
    counters[2] = today()
  end
  return counters
end
local function counters_of(records) return unpack_counters(redis.call('HGET', records, '#')) end

local function count(counters, first_seen, users, sessions)
  local age = counters[2] - math.floor(first_seen / DAY)
  counters[1] = counters[1] + sessions
  if age >= 0 and age <= 6 then counters[3 + age] = counters[3 + age] + users end
  return cmsgpack.pack(counters)
end

local function drop_user(tag, set, records, user)
  local field = ':' .. user
  local record = redis.call('HGET', records, field)
  redis.call('ZREM', set, user)
  if redis.call('EXISTS', set) == 0 then
    redis.call('DEL', records)
    redis.call('ZREM', parts, tag)
  elseif record then
    local first_seen, _, sessions = struct.unpack('>I6I6I4', record)
    redis.call('HDEL', records, field)
    redis.call('HSET', records, '#', count(counters_of(records), first_seen, -1, -sessions))
  end
end

-- Drops users past their retention; answers how many.
local function drop_forgotten(tag, set, records, most)
  local oldest = now - retention
  local gone = redis.call('ZRANGE', set, ms(-oldest), ms(oldest), 'BYSCORE', 'LIMIT', 0, most)
  for _, user in ipairs(gone) do drop_user(tag, set, records, user) end
  return #gone
end

-- Whether a user with this record is past its retention. Its standing is never before it was last seen, but for the skew of clocks.
local function is_forgotten(set, user, record)
  if not record then return false end
  local _, last_seen = struct.unpack('>I6I6', record)
  if last_seen - ${MAX_SKEW_MS} > now - retention then return false end
  return math.abs(tonumber(redis.call('ZSCORE', set, user) or 0)) <= now - retention
end

-- The expiry of a user's last live session, of one tag unless it is ''; nil if there is none.
local function last_expiry(user_index, tag)
  local suffix = ':' .. tag
  for from = 0, 1000000, 64 do
    local entries = redis.call('ZRANGE', user_index, '+inf', '(' .. ms(now), 'BYSCORE', 'REV', 'LIMIT', from, 64, 'WITHSCORES')
    for i = 1, #entries, 2 do
      if tag == '' or string.sub(entries[i], -#suffix) == suffix then return entries[i + 1] end
    end
    if #entries < 128 then return nil end
  end
end

-- A user was seen at a start (started = 1) or a refresh (0) of a session that runs out at 'expiry'.
local function see_user(tag, set, records, user, seen, started, expiry)
  if tidies then drop_forgotten(tag, set, records, ${DROP}) end
  local field = ':' .. user
  local found = redis.call('HMGET', records, field, '#')
  if is_forgotten(set, user, found[1]) then
    drop_user(tag, set, records, user)
    found = redis.call('HMGET', records, field, '#')
  end
  local first_seen, last_seen, sessions, new = seen, seen, 1, 1
  if found[1] then
    first_seen, last_seen, sessions = struct.unpack('>I6I6I4', found[1])
    last_seen, sessions, new = math.max(last_seen, seen), sessions + started, 0
  end
  local record = struct.pack('>I6I6I4', first_seen, last_seen, sessions)
  if new + started > 0 then
    local counters = count(unpack_counters(found[2]), first_seen, new, math.max(new, started))
    redis.call('HSET', records, field, record, '#', counters)
  else
    redis.call('HSET', records, field, record)
  end
  local later = redis.call('ZADD', set, 'GT', 'CH', expiry, user)
  -- Only a refresh may have shortened what was the last one; one that comes so late that its own end has passed leaves none.
  if later == 0 and started == 0 then redis.call('ZADD', set, last_expiry(KEYS[2], tag) or expiry, user) end
end

-- Lets both parts live until the retention of their users is over, and an hour at most beyond: so it need not be said at every write.
local function keep(tag, expiry)
  local at = tonumber(expiry) + retention
  local kept = redis.call('ZMSCORE', parts, '', tag)
  local all, own = tonumber(kept[1] or 0), tonumber(kept[2] or 0)
  local function keep_until(part, set, records)
    redis.call('ZADD', parts, ms(all), part)
    redis.call('PEXPIREAT', set, ms(all))
    redis.call('PEXPIREAT', records, ms(all))
  end
  if all < at then
    all = at + ${SLACK_MS}
    redis.call('ZREMRANGEBYSCORE', parts, '-inf', ms(now))
    keep_until('', KEYS[3], KEYS[4])
    redis.call('PEXPIREAT', parts, ms(all))
  end
  if own < at then keep_until(tag, KEYS[5], KEYS[6]) end
end

-- KEYS 2 to 7: user index, users of all tags, their records, users of the tag, their records, parts of the bucket.
local function see(user, tag, seen, started, expiry)
  parts = KEYS[7]
  see_user('', KEYS[3], KEYS[4], user, seen, started, expiry)
  see_user(tag, KEYS[5], KEYS[6], user, seen, started, expiry)
  keep(tag, expiry)
end

-- Sessions of a user were ended: it stays as long as its last one lives, or has left now.
local function leave(user, tag)
  redis.call('ZADD', KEYS[3], 'XX', last_expiry(KEYS[2], '') or ms(-now), user)
  redis.call('ZADD', KEYS[5], 'XX', last_expiry(KEYS[2], tag) or ms(-now), user)
end
`;

/**
 * KEYS users of a part, their records, parts of the bucket, tag index. ARGV retention, tag ('' for all). Drops forgotten users first.
 * Answers how many it dropped; users that are active, left, expired; counters; live sessions of the tag or, for all, the parts.
 */
const ACTIVITY = `#!lua flags=allow-oom
${NOW}${USERS}
retention, parts = tonumber(ARGV[1]), KEYS[3]
local dropped, live = drop_forgotten(ARGV[2], KEYS[1], KEYS[2], ${DROP_AT_ONCE}), '(' .. ms(now)
return {
  dropped,
  redis.call('ZCOUNT', KEYS[1], live, '+inf'),
  redis.call('ZCOUNT', KEYS[1], '-inf', '(0'),
  redis.call('ZCOUNT', KEYS[1], '0', ms(now)),
  counters_of(KEYS[2]),
  ARGV[2] == '' and redis.call('ZRANGE', parts, 0, -1) or redis.call('ZCOUNT', KEYS[4], live, '+inf'),
}
`;

/** KEYS users of a part, their records, user index. ARGV retention, user id, tag ('' for all). Answers first seen, last seen, sessions started, live sessions; nothing if unknown. */
const USER = `#!lua flags=allow-oom
${NOW}${USERS}
retention = tonumber(ARGV[1])
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not score or math.abs(tonumber(score)) <= now - retention then return {} end
local record = redis.call('HGET', KEYS[2], ':' .. ARGV[2])
if not record then return {} end
local first_seen, last_seen, sessions = struct.unpack('>I6I6I4', record)
local live
if ARGV[3] == '' then live = redis.call('ZCOUNT', KEYS[3], '(' .. ms(now), '+inf')
else
  live = 0
  local suffix = ':' .. ARGV[3]
  for _, member in ipairs(redis.call('ZRANGE', KEYS[3], '(' .. ms(now), '+inf', 'BYSCORE')) do
    if string.sub(member, -#suffix) == suffix then live = live + 1 end
  end
end
return {ms(first_seen), ms(last_seen), sessions, live}
`;

/** KEYS user index, parts of the bucket, then users and records of each part. ARGV user id, tag of each part. Answers 0, and does nothing, while a session of the user lives. */
const ERASE = `#!lua flags=allow-oom
${NOW}${USERS}
if redis.call('ZCOUNT', KEYS[1], '(' .. ms(now), '+inf') > 0 then return 0 end
parts = KEYS[2]
redis.call('DEL', KEYS[1])
for i = 2, #ARGV do drop_user(ARGV[i], KEYS[2 * i - 1], KEYS[2 * i], ARGV[1]) end
return 1
`;

/** KEYS users of a part. ARGV retention, lowest score, offset, count. Answers the score below which users are forgotten, either sign; then users and scores in order. */
const USER_SLICE = `#!lua flags=allow-oom
${NOW}
local entries = redis.call('ZRANGE', KEYS[1], ARGV[2], '+inf', 'BYSCORE', 'LIMIT', ARGV[3], ARGV[4], 'WITHSCORES')
table.insert(entries, 1, ms(now - tonumber(ARGV[1])))
return entries
`;

/** KEYS tag indexes of a bucket. Answers how many live sessions they hold together. */
const LIVE = `#!lua flags=allow-oom
${NOW}
local live = 0
for _, index in ipairs(KEYS) do live = live + redis.call('ZCOUNT', index, '(' .. ms(now), '+inf') end
return live
`;

/** KEYS parts of a bucket. Answers the tags that may have users, and '' for all together. */
const PARTS = `#!lua flags=allow-oom
return redis.call('ZRANGE', KEYS[1], 0, -1)
`;

/** KEYS sorted sets of one slot. ARGV a member of each. Answers their scores, '' where there is none. */
const SCORES = `#!lua flags=allow-oom
local scores = {}
for i, key in ipairs(KEYS) do scores[i] = redis.call('ZSCORE', key, ARGV[i]) or '' end
return scores
`;

/** KEYS users of a part, their records. Answers 1 if the counters are not what the records add up to, or records and users differ. */
const RECOUNT = `#!lua flags=allow-oom
${NOW}${USERS}
local counters = counters_of(KEYS[2])
local fields, users, sessions, first_seen = redis.call('HGETALL', KEYS[2]), 0, 0, {0, 0, 0, 0, 0, 0, 0}
for i = 1, #fields, 2 do
  if fields[i] ~= '#' then
    if not redis.call('ZSCORE', KEYS[1], string.sub(fields[i], 2)) then return 1 end
    local first, _, started = struct.unpack('>I6I6I4', fields[i + 1])
    local age = counters[2] - math.floor(first / DAY)
    users, sessions = users + 1, sessions + started
    if age >= 0 and age <= 6 then first_seen[age + 1] = first_seen[age + 1] + 1 end
  end
end
if users ~= redis.call('ZCARD', KEYS[1]) or sessions ~= counters[1] then return 1 end
for i = 1, 7 do if first_seen[i] ~= counters[i + 2] then return 1 end end
return 0
`;

/** KEYS a user index. ARGV tag ('' for all). Answers the expiry of the user's last live session; '' if there is none. */
const LAST_EXPIRY = `#!lua flags=allow-oom
${NOW}${USERS}
return last_expiry(KEYS[1], ARGV[1]) or ''
`;

export const userScripts = {
  activity: { lua: ACTIVITY },
  user: { lua: USER },
  erase: { lua: ERASE },
  userSlice: { lua: USER_SLICE },
  live: { lua: LIVE },
  parts: { lua: PARTS },
  scores: { lua: SCORES },
  recount: { lua: RECOUNT },
  lastExpiry: { lua: LAST_EXPIRY },
} as const;
