// Owns the Lua that keeps the users of a bucket: who they are, when they were seen, and the numbers made of them (ADR 14).
//
// Users are kept in parts: one for each tag, one for all tags together, which is written ''. A part is a sorted set of users and a
// hash of their records and counters. The parts of a bucket are a sorted set too, by the moment until which each is kept. A
// user's score says how it stands: the moment its last session runs out, or minus the moment its last session was ended. Either
// way the absolute value is the moment from which its retention counts.

import { MAX_SKEW_MS } from '../../sessions/session-store.ts';

/** Users past their retention that one write drops at most from a part. */
const DROP = 32;
/** Members of a user's index looked at in one piece. */
const WALK = 64;
/** How much longer than its users a part may live. */
const SLACK_MS = 3_600_000;

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

-- The expiry of a user's last live session, of one tag unless it is ''; nil if there is none. None ends after 'latest', so it begins
-- there. Then back by rank, without scores: an offset into a range by score would be walked through from the start each time.
local function last_expiry(user_index, tag, latest)
  local live = redis.call('ZCOUNT', user_index, '(' .. ms(now), '+inf')
  local suffix = ':' .. tag
  for from = redis.call('ZCOUNT', user_index, '(' .. latest, '+inf'), live - 1, ${WALK} do
    local members = redis.call('ZRANGE', user_index, from, math.min(from + ${WALK}, live) - 1, 'REV')
    for _, member in ipairs(members) do
      if tag == '' or string.sub(member, -#suffix) == suffix then return redis.call('ZSCORE', user_index, member) end
    end
  end
end

-- A user was seen at a start (started = 1) or a refresh (0) of a session that runs out at 'expiry', sooner than before if it was shortened.
local function see_user(tag, set, records, user, seen, started, expiry, shortened)
  if tidies then drop_forgotten(tag, set, records, ${DROP}) end
  local field = ':' .. user
  local found = redis.call('HMGET', records, field, '#')
  if is_forgotten(set, user, found[1]) then
    drop_user(tag, set, records, user)
    found = redis.call('HMGET', records, field, '#')
  end
  -- A start may come with a time a little ahead; a day that has not begun has no counter.
  local first_seen, last_seen, sessions, new = math.min(seen, now), seen, 1, 1
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
  -- What was shortened may have been the last one; one that comes so late that its own end has passed leaves none.
  if later == 0 and shortened then
    redis.call('ZADD', set, last_expiry(KEYS[2], tag, redis.call('ZSCORE', set, user)) or expiry, user)
  end
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
local function see(user, tag, seen, started, expiry, shortened)
  parts = KEYS[7]
  see_user('', KEYS[3], KEYS[4], user, seen, started, expiry, shortened)
  see_user(tag, KEYS[5], KEYS[6], user, seen, started, expiry, shortened)
  keep(tag, expiry)
end

-- Sessions of a user were ended: it stays as long as its last one lives, or has left now.
local function leave(user, tag)
  local function leave_part(part, set)
    local latest = redis.call('ZSCORE', set, user)
    if latest then redis.call('ZADD', set, last_expiry(KEYS[2], part, latest) or ms(-now), user) end
  end
  leave_part('', KEYS[3])
  leave_part(tag, KEYS[5])
end
`;
