-- The directory of tenants, keys and administrators: one state, changed in atomic steps.
--
-- KEYS[1]  spillgate:{directory}; every other key begins with it, so all of them are in one slot.
-- ARGV[1]  the operation: sync | change | begin | standing | leave
-- ARGV[2]  what it is given, as JSON   ARGV[3]  begin: the pepper, raw; empty to keep what is there
--
-- What is kept, each below KEYS[1]:
--   :head     hash; generation, version     which state this is
--                   first, began            the version it began at, and when (server, ms)
--                   origin, origin_version  the generation that it continues; empty: none
--                   number, hash            the audit log's last line
--   :entries  hash; KIND:ID -> the entry as JSON
--   :changed  sorted set; KIND:ID -> the version of its last change; what is deleted stays in it
--   :audit    stream; id NUMBER-0, field `record` as JSON
--   :workers  hash; WORKER -> MS VERSION GENERATION: what it has in force, and when it said so
--   :pepper   32 bytes, where the configuration gives none
--
-- A generation is one unbroken history. It ends when Redis loses the directory, or the last of its
-- changes; the worker that remembers most of it then begins the next one from its memory.
--
-- Worked example. A and B have version 7 of generation g:
--   A: change {generation: g, version: 7, …}  ->  changed, 8
--   B: change {generation: g, version: 7, …}  ->  behind: B knows less than there is; it syncs first
--   B: sync   {generation: g, version: 7, …}  ->  what A changed; B puts it in force and says so
--   A: standing {version: 8, …}               ->  in force on 2 of 2 workers
--   FLUSHALL; A: sync  ->  empty; A: begin {origin: g, version: 8, …}  ->  generation h, version 9
--   B: sync {generation: g, …}  ->  another generation: B reads all of it

local PAGE = 1000           -- entries of one answer; a change has fewer, so a page has whole versions
local LIVE_MS = 3000        -- a worker that has said nothing for so long does not count
local FORGOTTEN_MS = 60000  -- and after so long is forgotten
local FRESH_MS = 60000      -- so long a directory that began with nothing gives way to a memory

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function key(name)
  return KEYS[1] .. ':' .. name
end

local function digits(number)
  return string.format('%.0f', number)
end

local function read_head()
  local fields = redis.call('HMGET', key('head'), 'generation', 'version', 'first', 'began',
    'origin', 'origin_version', 'number', 'hash')
  if not fields[1] then return nil end
  return { generation = fields[1], version = tonumber(fields[2]), first = tonumber(fields[3]),
    began = tonumber(fields[4]), origin = fields[5], origin_version = tonumber(fields[6]),
    number = tonumber(fields[7]), hash = fields[8] }
end

-- The places that changed after a version, and the version up to which these are all.
local function changed_after(version, head)
  local found = redis.call('ZRANGEBYSCORE', key('changed'), '(' .. digits(version), '+inf',
    'WITHSCORES', 'LIMIT', 0, PAGE)
  local count, upto = #found / 2, head.version
  if count == PAGE then  -- the last version may go on: it is the next page's
    upto = tonumber(found[#found]) - 1
    while count > 0 and tonumber(found[2 * count]) > upto do count = count - 1 end
  end
  local places = {}
  for i = 1, count do places[i] = found[2 * i - 1] end
  return places, upto
end

---- Operations ---------------------------------------------------------------------------------

-- {worker, generation, version, reading, after} -> empty | lost
--   | [same | other, generation, version, origin, number, hash, upto, places, entries]
-- `generation` and `version` are what the worker has in force, which is noted. It is answered with
-- what changed after version `after` of the generation `reading`, or everything of another one, as
-- far as version `upto`. Entries are JSON, nil where deleted. lost: the worker has more than there is.
local function sync(ask)
  local head = read_head()
  if not head then return { 'empty' } end
  local same = head.generation == ask.generation
  if same and head.version < ask.version then return { 'lost' } end
  redis.call('HSET', key('workers'), ask.worker,
    digits(now) .. ' ' .. digits(ask.version) .. ' ' .. ask.generation)
  local after = ask.reading == head.generation and ask.after or -1
  local places, upto = changed_after(after, head)
  local entries = {}
  if #places > 0 then entries = redis.call('HMGET', key('entries'), unpack(places)) end
  return { same and 'same' or 'other', head.generation, digits(head.version), head.origin,
    digits(head.number), head.hash, digits(upto), places, entries }
end

-- {generation, version, entries: [[place, json]], records: [json], number, hash}
-- -> behind | changed, version
-- Nothing is changed unless the asker has looked at exactly this state: what it expected of the
-- entries holds, and its records follow from the last one. Empty JSON deletes.
local function change(ask)
  local head = read_head()
  if not head or head.generation ~= ask.generation or head.version ~= ask.version then
    return { 'behind' }
  end
  local version = head.version + 1
  for _, entry in ipairs(ask.entries) do
    if entry[2] == '' then
      redis.call('HDEL', key('entries'), entry[1])
    else
      redis.call('HSET', key('entries'), entry[1], entry[2])
    end
    redis.call('ZADD', key('changed'), digits(version), entry[1])
  end
  for i, record in ipairs(ask.records) do
    redis.call('XADD', key('audit'), digits(head.number + i) .. '-0', 'record', record)
  end
  redis.call('HSET', key('head'), 'version', digits(version), 'number', digits(ask.number),
    'hash', ask.hash)
  return { 'changed', digits(version) }
end

-- Whether what is there gives way to the memory of a worker.
local function gives_way(head, ask)
  if ask.origin == '' then return false end                       -- it remembers nothing
  if head.generation == ask.origin then return head.version < ask.version end  -- rolled back
  if head.origin == '' then return now - head.began < FRESH_MS end -- begun by one who knew nothing
  return head.origin == ask.origin and head.origin_version < ask.version and
    head.version == head.first                                    -- begun by one who knew less
end

-- {generation, origin, version, entries: [[place, json]], number, hash}, pepper -> begun | refused
-- Begins a generation: with nothing, or with what the asker remembers of `origin` at `version`.
-- Its audit log goes on from the number and hash remembered; a gap shows what was lost of it.
local function begin(ask, pepper)
  local head = read_head()
  if head and not gives_way(head, ask) then return { 'refused' } end
  local version = math.max(ask.version, head and head.version or 0, #ask.entries) + 1
  redis.call('DEL', key('entries'), key('changed'))
  if head and head.number > ask.number then redis.call('DEL', key('audit')) end
  for i, entry in ipairs(ask.entries) do
    redis.call('HSET', key('entries'), entry[1], entry[2])
    redis.call('ZADD', key('changed'), i, entry[1])  -- whoever is of another generation reads all
  end
  redis.call('HSET', key('head'), 'generation', ask.generation, 'version', digits(version),
    'first', digits(version), 'began', digits(now), 'origin', ask.origin,
    'origin_version', digits(ask.version), 'number', digits(ask.number), 'hash', ask.hash)
  if pepper ~= '' then redis.call('SET', key('pepper'), pepper) end
  return { 'begun' }
end

-- {generation, version} -> [workers that have it in force, live workers]
local function standing(ask)
  local workers, having, live = redis.call('HGETALL', key('workers')), 0, 0
  for i = 1, #workers, 2 do
    local at, version, generation = string.match(workers[i + 1], '^(%d+) (%d+) (.*)$')
    local silent = now - tonumber(at)
    if silent > FORGOTTEN_MS then redis.call('HDEL', key('workers'), workers[i]) end
    if silent <= LIVE_MS then
      live = live + 1
      if generation == ask.generation and tonumber(version) >= ask.version then
        having = having + 1
      end
    end
  end
  return { having, live }
end

-- {worker} -> left
local function leave(ask)
  redis.call('HDEL', key('workers'), ask.worker)
  return { 'left' }
end

local operations = { sync = sync, change = change, begin = begin, standing = standing,
  leave = leave }
return operations[ARGV[1]](cjson.decode(ARGV[2]), ARGV[3])
