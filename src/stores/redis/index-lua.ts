// Owns the Lua that all scripts share: the time inside Redis, and how the indexes of sessions are kept.

/** One write in so many tidies up: what it drops in one go is many times what those writes add. */
const TIDIES_ONE_IN = 8;
/** Entries read at once: thousands of them together would hold up Redis for 8 ms. */
export const ENTRIES_AT_ONCE = 1000;
/** Members read at once without their scores, as one text: 2 ms. */
export const NAMES_AT_ONCE = 2000;
/** Index members trimmed at most by one write. */
const TRIM = 64;

export const NOW = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local tidies = t[2] % ${TIDIES_ONE_IN} == 0
local function ms(n) return string.format('%.0f', n) end
`;

/** Drops some expired members, and lets the index expire with its last one: GT says no to a key that is new, or whose last member may come sooner now. */
export const TIDY = `
local function trim(index)
  if not tidies then return end
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
  if redis.call('PEXPIREAT', index, score, 'GT') == 0 then expire_with_last(index) end
end
local function remove(index, members)
  trim(index)
  if redis.call('ZREM', index, unpack(members)) > 0 then expire_with_last(index) end
end
`;
