// Owns the Lua that keeps the users of a bucket: who they are, when they were seen, and the numbers made of them (ADR 14).
//
// Users are kept in parts: one for each tag, one for all tags together. A part is a sorted set of users and a hash of their records
// and counters. A user's score says how it stands: the moment its last session runs out, or minus the moment its last session was
// ended. Either way the absolute value is the moment from which its retention counts.

import { NOW } from './index-lua.ts';

/** Users past their retention that one write drops at most. */
const DROP = 16;
/** How much longer than its users a part may live. */
const SLACK_MS = 3_600_000;
/** The same of a reader of numbers, which asks until none is left. */
const DROP_AT_ONCE = 256;

/** Needs `now` and `ms` of the scripts' time; a script that writes sets `retention`, in milliseconds. */
export const USERS = `
local DAY, retention = 86400000
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

local function drop_user(set, records, user)
  redis.call('ZREM', set, user)
  local record = redis.call('HGET', records, ':' .. user)
  if record then
    local first_seen, _, sessions = struct.unpack('>I6I6I4', record)
    redis.call('HDEL', records, ':' .. user)
    redis.call('HSET', records, '#', count(counters_of(records), first_seen, -1, -sessions))
  end
  -- With its last user the counters of a part are all zero.
  if redis.call('EXISTS', set) == 0 then redis.call('DEL', records) end
end

-- Drops users past their retention; answers how many.
local function drop_forgotten(set, records, most)
  local oldest = now - retention
  local gone = redis.call('ZRANGE', set, ms(-oldest), ms(oldest), 'BYSCORE', 'LIMIT', 0, most)
  for _, user in ipairs(gone) do drop_user(set, records, user) end
  return #gone
end

-- Lets a part live until the retention of its users is over, and an hour at most beyond: so it need not be said at every write.
local function keep_until(ends, set, records)
  local at = tonumber(ends) + retention
  if redis.call('PEXPIRETIME', set) >= at then return end
  redis.call('PEXPIREAT', set, ms(at + ${SLACK_MS}))
  if records then redis.call('PEXPIREAT', records, ms(at + ${SLACK_MS})) end
end

-- A user was seen at a start (started = 1) or a refresh (0) of a session that runs out at 'expiry'. 'last' finds when its last one does.
local function see_user(set, records, user, seen, started, expiry, last)
  drop_forgotten(set, records, ${DROP})
  local score = tonumber(redis.call('ZSCORE', set, user) or 0)
  if score ~= 0 and math.abs(score) <= now - retention then
    drop_user(set, records, user)
    score = 0
  end
  local ends = tonumber(expiry)
  -- Only a refresh that shortens what may have been the last one has to look for it.
  if score > now and score > ends then ends = started > 0 and score or tonumber(last()) end
  local found = redis.call('HMGET', records, ':' .. user, '#')
  local first_seen, last_seen, sessions, new = seen, seen, 1, 1
  if found[1] then
    first_seen, last_seen, sessions = struct.unpack('>I6I6I4', found[1])
    last_seen, sessions, new = math.max(last_seen, seen), sessions + started, 0
  end
  local record = struct.pack('>I6I6I4', first_seen, last_seen, sessions)
  if new + started > 0 then
    local counters = count(unpack_counters(found[2]), first_seen, new, math.max(new, started))
    redis.call('HSET', records, ':' .. user, record, '#', counters)
  else
    redis.call('HSET', records, ':' .. user, record)
  end
  redis.call('ZADD', set, ms(ends), user)
  keep_until(ends, set, records)
end

-- Sessions of a user were ended: it stays as long as its last one lives, or has left now.
local function leave_user(set, user, ends)
  if redis.call('ZSCORE', set, user) then redis.call('ZADD', set, ends or ms(-now), user) end
end

-- The expiry of a user's last live session, of one tag if given; nil if there is none.
local function last_expiry(user_index, tag)
  local suffix = tag and ':' .. tag
  for from = 0, 1000000, 64 do
    local entries = redis.call('ZRANGE', user_index, '+inf', '(' .. ms(now), 'BYSCORE', 'REV', 'LIMIT', from, 64, 'WITHSCORES')
    for i = 1, #entries, 2 do
      if not suffix or string.sub(entries[i], -#suffix) == suffix then return entries[i + 1] end
    end
    if #entries < 128 then return nil end
  end
end

-- KEYS 2 to 7: user index, users of all tags, their records, users of the tag, their records, tags of the bucket.
local function see(user, tag, seen, started, expiry)
  see_user(KEYS[3], KEYS[4], user, seen, started, expiry, function() return last_expiry(KEYS[2]) end)
  see_user(KEYS[5], KEYS[6], user, seen, started, expiry, function() return last_expiry(KEYS[2], tag) end)
  local at = redis.call('PEXPIRETIME', KEYS[5])
  if tonumber(redis.call('ZSCORE', KEYS[7], tag) or 0) < at then
    redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', ms(now))
    redis.call('ZADD', KEYS[7], ms(at), tag)
    keep_until(at - retention, KEYS[7])
  end
end

local function leave(user, tag)
  leave_user(KEYS[3], user, last_expiry(KEYS[2]))
  leave_user(KEYS[5], user, last_expiry(KEYS[2], tag))
end
`;

/**
 * KEYS users and records of a part, tag index of the part or the tags of the bucket. ARGV retention, whether KEYS[3] is a tag index.
 * Drops forgotten users first. Answers how many it dropped, users that are active, left, expired; counters; live sessions or tags.
 */
const ACTIVITY = `#!lua flags=allow-oom
${NOW}${USERS}
retention = tonumber(ARGV[1])
local dropped = drop_forgotten(KEYS[1], KEYS[2], ${DROP_AT_ONCE})
local live, kept = '(' .. ms(now), '(' .. ms(now - retention)
local last = ARGV[2] == '1' and redis.call('ZCOUNT', KEYS[3], live, '+inf')
  or redis.call('ZRANGE', KEYS[3], live, '+inf', 'BYSCORE')
return {
  dropped,
  redis.call('ZCOUNT', KEYS[1], live, '+inf'),
  redis.call('ZCOUNT', KEYS[1], '-inf', '(0'),
  redis.call('ZCOUNT', KEYS[1], '0', ms(now)),
  counters_of(KEYS[2]),
  last,
}
`;

/** KEYS users and records of a part, user index. ARGV retention, user id, tag or ''. Answers first seen, last seen, sessions started, live sessions; nothing if unknown. */
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

/** KEYS user index, tags of the bucket, then users and records of each part. ARGV user id, tag of each part. Answers 0, and does nothing, while a session of the user lives. */
const ERASE = `#!lua flags=allow-oom
${NOW}${USERS}
if redis.call('ZCOUNT', KEYS[1], '(' .. ms(now), '+inf') > 0 then return 0 end
redis.call('DEL', KEYS[1])
for i = 3, #KEYS, 2 do
  drop_user(KEYS[i], KEYS[i + 1], ARGV[1])
  if redis.call('EXISTS', KEYS[i]) == 0 then redis.call('ZREM', KEYS[2], ARGV[(i + 1) / 2]) end
end
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

/** KEYS tags of a bucket. Answers the tags that may have users. */
const TAGS = `#!lua flags=allow-oom
return redis.call('ZRANGE', KEYS[1], 0, -1)
`;

/** KEYS sorted sets of one slot. ARGV a member of each. Answers their scores, '' where there is none. */
const SCORES = `#!lua flags=allow-oom
local scores = {}
for i, key in ipairs(KEYS) do scores[i] = redis.call('ZSCORE', key, ARGV[i]) or '' end
return scores
`;

/** KEYS users and records of a part. Answers 1 if the counters are not what the records add up to, or records and users differ. */
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

export const userScripts = {
  activity: { lua: ACTIVITY },
  user: { lua: USER },
  erase: { lua: ERASE },
  userSlice: { lua: USER_SLICE },
  live: { lua: LIVE },
  tags: { lua: TAGS },
  scores: { lua: SCORES },
  recount: { lua: RECOUNT },
} as const;
