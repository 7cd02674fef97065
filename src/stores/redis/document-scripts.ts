// Owns the Lua that changes small documents; works on a full Redis too, where an operator may want to change them.

/** KEYS a collection. ARGV name. */
const READ = `#!lua flags=allow-oom
return redis.call('HGET', KEYS[1], ARGV[1])
`;

/** KEYS a collection. Answers the names of its documents. */
const NAMES = `#!lua flags=allow-oom
return redis.call('HKEYS', KEYS[1])
`;

/** KEYS a collection. ARGV names. Answers their texts. */
const READ_MANY = `#!lua flags=allow-oom
return redis.call('HMGET', KEYS[1], unpack(ARGV))
`;

/** KEYS a collection. ARGV name, text that is there ('' for none), text that is to be there, most documents of the collection. */
const REPLACE = `#!lua flags=allow-oom
local found = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if found ~= ARGV[2] and found ~= ARGV[3] then return 'stale' end
if found == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return 'full' end
-- Also if it is there already: WAIT needs a write to wait for.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 'replaced'
`;

/** KEYS a collection. ARGV name, text that is there. */
const REMOVE = `#!lua flags=allow-oom
local found = redis.call('HGET', KEYS[1], ARGV[1])
if found and found ~= ARGV[2] then return 0 end
-- Also if it is gone already, for the same reason.
if not found then redis.call('HSET', KEYS[1], ARGV[1], '') end
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
`;

export const documentScripts = {
  readDocument: { lua: READ },
  documentNames: { lua: NAMES },
  readDocuments: { lua: READ_MANY },
  replaceDocument: { lua: REPLACE },
  removeDocument: { lua: REMOVE },
} as const;
