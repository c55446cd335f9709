-- One tenant's answers that are kept: which there are, in what order they end, and since when.
--
-- KEYS[1]  spillgate:answers:{TENANT}; every other key begins with it, so all are in one slot
-- ARGV[1]  the operation: begin | keep | evict | clear | sweep | list | totals
--
-- Time is the server's alone. What is kept, TENANT and FINGERPRINT in hex:
--   KEYS[1]             sorted set; FINGERPRINT -> its end in microseconds, no two alike. Below 0 are
--                       `generation` -> -(when the set was begun or cleared) and
--                       `evicted` -> -(when answers were evicted last)
--   :sizes              sorted set; FINGERPRINT -> bytes; `total` -> their sum
--   :entry:FINGERPRINT  hash; generation, meta, body; what is found by meaning has more fields
--   :trash:TIME         the sorted set of answers that were cleared, as long as they are removed
--
-- An answer counts only while its `generation` is the set's. So clearing a tenant is one step, and a
-- server that throws away the set for want of memory has lost its answers rather than the list of them.
--
-- Only hashes are in the index by meaning, and only of entries: nothing else here may be a hash.
--
-- A full server refuses a script's first write if that could take memory, and nothing after it. So
-- `keep` begins with such a write, and evicting with one that is none.

local ENTRY_MS = 86400000   -- how long the set outlives its last answer or eviction, at least
local AT_ONCE = 200         -- answers that one call removes to make room

local live, sizes = KEYS[1], KEYS[1] .. ':sizes'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- Redis and Lua would write large numbers with an exponent.
local function digits(number)
  return string.format('%.0f', number)
end

local function entry(fingerprint)
  return KEYS[1] .. ':entry:' .. fingerprint
end

local function mark(name)
  return redis.call('ZSCORE', live, name) or ''
end

-- Marks only ever move on, also when the server's clock was set back.
local function set_mark(name)
  local before = -tonumber(redis.call('ZSCORE', live, name) or 0)
  redis.call('ZADD', live, digits(-math.max(now, before + 1)), name)
end

local function outlive(key, ms)
  if redis.call('PTTL', key) < ms then
    redis.call('PEXPIRE', key, digits(ms))
  end
end

local function forget(fingerprint)
  local gone = redis.call('UNLINK', entry(fingerprint))
  redis.call('ZREM', live, fingerprint)
  local size = redis.call('ZSCORE', sizes, fingerprint)
  if size then
    redis.call('ZREM', sizes, fingerprint)
    redis.call('ZINCRBY', sizes, digits(-tonumber(size)), 'total')
  end
  return gone
end

local operations = {}

-- What the keeper must know first: { time, evicted, generation }. The keeper can tell from it whether
-- something was evicted after the request began, which no clock of its own could.
function operations.begin()
  return { digits(now), mark('evicted'), mark('generation') }
end

-- evicted and generation as `begin` told them, fingerprint, ttl (ms), most answers, most bytes in all,
-- bytes of this one, then the fields of its hash. Returns kept | again | full.
function operations.keep(evicted, generation, fingerprint, ttl, most, most_bytes, size, ...)
  if mark('evicted') ~= evicted or mark('generation') ~= generation then
    return 'again'
  end
  redis.call('ZADD', live, 'XX', 0, '')  -- changes nothing
  forget(fingerprint)
  for _, ended in ipairs(redis.call('ZRANGEBYSCORE', live, '(0', digits(now), 'LIMIT', 0, AT_ONCE)) do
    forget(ended)
  end

  local function crowded()
    local total = tonumber(redis.call('ZSCORE', sizes, 'total') or 0)
    return redis.call('ZCOUNT', live, '(0', '+inf') >= tonumber(most)
      or total + tonumber(size) > tonumber(most_bytes)
  end
  if crowded() then
    for _, first in ipairs(redis.call('ZRANGEBYSCORE', live, '(0', '+inf', 'LIMIT', 0, AT_ONCE)) do
      forget(first)
      if not crowded() then break end
    end
    if crowded() then return 'full' end
  end

  if generation == '' then set_mark('generation') end
  local ends = now + tonumber(ttl) * 1000
  while redis.call('ZCOUNT', live, digits(ends), digits(ends)) > 0 do ends = ends + 1 end
  local key = entry(fingerprint)
  redis.call('HSET', key, 'generation', mark('generation'), ...)
  redis.call('PEXPIREAT', key, digits(math.floor(ends / 1000)))
  redis.call('ZADD', live, digits(ends), fingerprint)
  redis.call('ZADD', sizes, size, fingerprint)
  redis.call('ZINCRBY', sizes, size, 'total')
  outlive(live, tonumber(ttl) + ENTRY_MS)
  outlive(sizes, tonumber(ttl) + ENTRY_MS)
  return 'kept'
end

-- Fingerprints, or none. Whatever was asked before this moment is not kept any more.
function operations.evict(...)
  redis.call('UNLINK', KEYS[1] .. ':trash')  -- there is no such key
  local gone = 0
  for _, fingerprint in ipairs({ ... }) do
    gone = gone + forget(fingerprint)
  end
  if mark('generation') == '' then set_mark('generation') end
  set_mark('evicted')
  outlive(live, ENTRY_MS)
  return gone
end

-- All of them at once; returns how many, and the key of what `sweep` removes.
function operations.clear()
  local before, count = mark('generation'), redis.call('ZCOUNT', live, '(' .. digits(now), '+inf')
  local trash = KEYS[1] .. ':trash:' .. digits(now)
  redis.call('UNLINK', sizes)
  if before ~= '' then
    redis.call('RENAME', live, trash)
    redis.call('PEXPIRE', trash, digits(ENTRY_MS))
    redis.call('ZADD', live, before, 'generation')
  end
  set_mark('generation')
  set_mark('evicted')
  outlive(live, ENTRY_MS)
  return { count, trash }
end

-- The key that `clear` told, how many at once. What was kept anew stays. Returns what is left to do.
function operations.sweep(trash, most)
  local popped = redis.call('ZPOPMIN', trash, most)
  for at = 1, #popped, 2 do
    if not redis.call('ZSCORE', live, popped[at]) then redis.call('UNLINK', entry(popped[at])) end
  end
  return redis.call('ZCARD', trash)
end

-- Before which end ('+inf': from the beginning), how many. Returns { fingerprint, end, size, meta },
-- those that end last first; of what is not there any more, the meta is empty.
function operations.list(before, most)
  local bound = before == '+inf' and before or '(' .. before
  local found = redis.call('ZREVRANGEBYSCORE', live, bound, '(' .. digits(now),
    'WITHSCORES', 'LIMIT', 0, most)
  local listed = {}
  for at = 1, #found, 2 do
    local fingerprint = found[at]
    listed[#listed + 1] = {
      fingerprint,
      found[at + 1],
      redis.call('ZSCORE', sizes, fingerprint) or '0',
      redis.call('HGET', entry(fingerprint), 'meta') or '',
    }
  end
  return listed
end

-- { how many, bytes }; what has ended counts in bytes until something is kept.
function operations.totals()
  return {
    redis.call('ZCOUNT', live, '(' .. digits(now), '+inf'),
    redis.call('ZSCORE', sizes, 'total') or '0',
  }
end

assert(#KEYS == 1, 'answers: one key is needed')
local operation = assert(operations[ARGV[1]], 'answers: there is no such operation')
return operation(unpack(ARGV, 2))
