// Owns the scripts that read, recount and erase what is kept of users. Those that write sessions keep it (scripts.ts).

import { ENTRIES_AT_ONCE, NOW } from './index-lua.ts';
import { USERS } from './user-lua.ts';

/** Users past their retention that a reader of numbers drops at once; it asks until none is left. */
const DROP_AT_ONCE = 256;

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

/** KEYS users of a part, their records, user index. ARGV retention, user id, tag ('' for all). Answers first seen, last seen, sessions started, live sessions (-1: too many to count those of a tag at once); nothing if unknown. */
const USER = `#!lua flags=allow-oom
${NOW}${USERS}
retention = tonumber(ARGV[1])
local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not score or math.abs(tonumber(score)) <= now - retention then return {} end
local record = redis.call('HGET', KEYS[2], ':' .. ARGV[2])
if not record then return {} end
local first_seen, last_seen, sessions = struct.unpack('>I6I6I4', record)
local live = redis.call('ZCOUNT', KEYS[3], '(' .. ms(now), '+inf')
if ARGV[3] ~= '' and live > ${ENTRIES_AT_ONCE} then live = -1
elseif ARGV[3] ~= '' then
  live = 0
  local suffix = ':' .. ARGV[3]
  for _, member in ipairs(redis.call('ZRANGE', KEYS[3], '(' .. ms(now), '+inf', 'BYSCORE')) do
    if string.sub(member, -#suffix) == suffix then live = live + 1 end
  end
end
return {ms(first_seen), ms(last_seen), sessions, live}
`;

/**
 * KEYS user index, parts of the bucket. ARGV user id. Answers 0, and does nothing, while a session of the user lives. The parts are
 * named by the bucket itself, for one may have come since anybody looked; their keys, of the same slot, are touched before anything is
 * written, so that while the slot is being moved Redis refuses the script as a whole.
 */
const ERASE = `#!lua flags=allow-oom
${NOW}${USERS}
if redis.call('ZCOUNT', KEYS[1], '(' .. ms(now), '+inf') > 0 then return 0 end
parts = KEYS[2]
local slot, holding = string.match(parts, '{.*}$'), {}
for _, tag in ipairs(redis.call('ZRANGE', parts, 0, -1)) do
  local suffix = slot .. (tag == '' and '' or ':' .. tag)
  local set, records = 'users:' .. suffix, 'user-records:' .. suffix
  redis.call('EXISTS', records)
  if redis.call('ZSCORE', set, ARGV[1]) then holding[#holding + 1] = {tag, set, records} end
end
redis.call('DEL', KEYS[1])
for _, part in ipairs(holding) do drop_user(part[1], part[2], part[3], ARGV[1]) end
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

/** KEYS sorted sets of one slot. ARGV a member of each. Answers the time and their scores, '' where there is none. */
const SCORES = `#!lua flags=allow-oom
${NOW}
local scores = {ms(now)}
for i, key in ipairs(KEYS) do scores[i + 1] = redis.call('ZSCORE', key, ARGV[i]) or '' end
return scores
`;

/** KEYS users of a part, their records, users of all tags. Answers 1 if the counters are not what the records add up to, or the three do not hold the same users. */
const RECOUNT = `#!lua flags=allow-oom
${NOW}${USERS}
local counters = counters_of(KEYS[2])
local fields, users, sessions, first_seen = redis.call('HGETALL', KEYS[2]), 0, 0, {0, 0, 0, 0, 0, 0, 0}
for i = 1, #fields, 2 do
  if fields[i] ~= '#' then
    local user = string.sub(fields[i], 2)
    if not redis.call('ZSCORE', KEYS[1], user) or not redis.call('ZSCORE', KEYS[3], user) then return 1 end
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

/** KEYS a user index. ARGV tag ('' for all). Answers the time and the expiry of the user's last live session; '' if there is none. */
const LAST_EXPIRY = `#!lua flags=allow-oom
${NOW}${USERS}
return {ms(now), last_expiry(KEYS[1], ARGV[1], '+inf') or ''}
`;

export const userScripts = {
  activity: { lua: ACTIVITY },
  user: { lua: USER },
  erase: { lua: ERASE },
  userSlice: { lua: USER_SLICE },
  live: { lua: LIVE },
  scores: { lua: SCORES },
  recount: { lua: RECOUNT },
  lastExpiry: { lua: LAST_EXPIRY },
} as const;
