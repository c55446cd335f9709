-- One tenant's account: limits, holds, totals and ledger, changed in one atomic step.
--
-- KEYS[1]  spillgate:{TENANT}; every other key begins with it, so all of them are in one slot.
-- ARGV[1]  the operation: reserve | extend | settle | seed | end | read
-- ARGV[2]  what it is given, as JSON. Answers are JSON too.
--
-- Time is the server's alone, in milliseconds. Amounts are whole numbers below 2^53: requests,
-- tokens, nano-dollars. A script is not rolled back when it fails, so all that can be refused or
-- found wrong is looked at before the first write. A server without memory refuses the
-- first write that would take some: a reservation as a whole; a settlement frees its hold first.
--
-- What is kept, each below KEYS[1]:
--   :generation            set when the account was seeded; missing after a flush
--   :day:DATE :month:DATE  hash; committed:MEASURE:SCOPE and held:MEASURE:SCOPE
--   :hour:DATETNN         the same of one of a day's hours, of what is spilled alone
--   :live                  hash; SCOPE -> holds that are alive
--   :window:NAME:SCOPE     hash; the moment at which a bucket ended -> amount taken in it
--   :holds                 hash; id -> the hold as JSON      :expiry  sorted set; id -> its end
--   :expired:ID            a hold that ended by itself, kept for two days for a late settlement
--   :charged:ID            marks a charge that had no hold here, for as long; for an hour one that
--                          the account was seeded with
--   :ledger                stream; field `row` is the row as JSON, `mark` is late where it came so
--
-- In every scope, for every hard limit:  committed + held + what is asked for <= amount. The same
-- holds for a spill budget: who is over it is admitted, and holds nothing in the scope that it limits.
--
-- Worked example. A limit of 100 tokens a day; two requests of 40 are running:
--   reserve {id: "c", tokens: 30, …}  ->  0 + 80 + 30 > 100: refused, nothing changed
--   settle  {id: "a", tokens: 25, …}  ->  committed 25, held 40, one ledger row
--   settle  {id: "a", tokens: 25, …}  ->  "duplicate": the hold is gone, nothing changed
--   reserve {id: "c", tokens: 30, …}  ->  25 + 40 + 30 <= 100: admitted, held 70
--   90 s later nobody has extended "b" and "c": held 0, two ledger rows, kind "expired"

local MEASURES = { 'requests', 'tokens', 'nano_usd' }
local SPILLED = 'spill'       -- the one scope that has limits by the hour
local HOUR_MS = 3600000
local BUCKETS = 60            -- of a sliding window; what it forgets, it forgets a bucket at a time
local SWEPT_AT_ONCE = 1000    -- holds that one call lets expire
local REMEMBERED_S = 172800   -- how long a settlement may be late, or repeated without a hold
local KEPT_MS = 172800000     -- how long totals outlive their calendar window
local SEEDED_S = 3600         -- how long what was settled before a flush may be repeated
local LOOKED_BACK = 5000      -- rows among which one that is sent again is looked for

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function key(...)
  return KEYS[1] .. ':' .. table.concat({ ... }, ':')
end

-- Redis would write large numbers with an exponent.
local function digits(number)
  return string.format('%.0f', number)
end

-- The calendar window that the server's time is in; nil where the asker's clock is far off.
local function current(windows)
  for _, window in ipairs(windows) do
    if window.starts <= now and now < window.ends then return window end
  end
end

-- The hour of a day that the server's time is in, counted from the day's beginning: hours are parts
-- of their day in every zone, also where clocks change. The last one may be shorter.
local function hour_of(day)
  local number = math.floor((now - day.starts) / HOUR_MS)
  local starts = day.starts + number * HOUR_MS
  return { name = string.format('%sT%02d', day.name, number), starts = starts,
    ends = math.min(starts + HOUR_MS, day.ends) }
end

-- The windows that the server's time is in, by kind; nil where the asker's clock is far off.
local function windows_of(ask)
  local day, month = current(ask.days), current(ask.months)
  return day and month and { day = day, month = month, hour = hour_of(day) }
end

---- Totals -------------------------------------------------------------------------------------

-- The fields that `changes` are about, and by how much; of one scope only, if it is given.
local function deltas_of(changes, only)
  local fields, deltas = {}, {}
  for _, change in ipairs(changes) do
    local state, amounts, sign, scopes = unpack(change)
    for _, measure in ipairs(MEASURES) do
      for _, scope in ipairs(amounts[measure] ~= 0 and scopes or {}) do
        if not only or scope == only then
          fields[#fields + 1] = state .. ':' .. measure .. ':' .. scope
          deltas[#deltas + 1] = sign * amounts[measure]
        end
      end
    end
  end
  return fields, deltas
end

local function change(period, window, fields, deltas)
  if #fields == 0 then return end
  local where = key(period, window.name)
  local known, changed = redis.call('HMGET', where, unpack(fields)), {}
  for i, field in ipairs(fields) do
    changed[2 * i - 1] = field
    changed[2 * i] = digits(tonumber(known[i] or 0) + deltas[i])
  end
  redis.call('HSET', where, unpack(changed))
  redis.call('PEXPIREAT', where, digits(window.ends + KEPT_MS))
end

-- Changes the totals of the windows that `charge` names: those of the hour of what is spilled alone,
-- and none where an older version granted it and named no hour. `changes` are {state, amounts, sign,
-- scopes}; a state is held or committed.
local function total(charge, changes)
  local fields, deltas = deltas_of(changes)
  change('day', charge.day, fields, deltas)
  change('month', charge.month, fields, deltas)
  if charge.hour then change('hour', charge.hour, deltas_of(changes, SPILLED)) end
end

-- What is held aside is in no concurrency: nobody who asks is kept out by it.
local function live(hold, change)
  if hold.aside then return end
  for _, scope in ipairs(hold.scopes) do redis.call('HINCRBY', key('live'), scope, change) end
end

---- Sliding windows ----------------------------------------------------------------------------

-- A bucket is named by the first moment after it, which means the same when the window gets another
-- length. It counts until that moment is a whole window ago: never too much is admitted.
local function bucket_of(limit)
  local length = limit.window_ms / BUCKETS
  return math.ceil((math.floor(now / length) + 1) * length)
end

local function counts(bucket, limit)
  return bucket + limit.window_ms > now
end

-- What the window holds, its living buckets in order, and the dead ones.
local function window_of(limit)
  local entries = redis.call('HGETALL', key('window', limit.name, limit.scope))
  local sum, alive, dead = 0, {}, {}
  for i = 1, #entries, 2 do
    local bucket, amount = tonumber(entries[i]), tonumber(entries[i + 1])
    if counts(bucket, limit) then
      sum = sum + amount
      alive[#alive + 1] = { bucket = bucket, amount = amount }
    else
      dead[#dead + 1] = entries[i]
    end
  end
  table.sort(alive, function(a, b) return a.bucket < b.bucket end)
  return sum, alive, dead
end

-- Milliseconds until `excess` has left the window.
local function wait_for(limit, alive, excess)
  for _, entry in ipairs(alive) do
    excess = excess - entry.amount
    if excess <= 0 then return entry.bucket + limit.window_ms - now end
  end
  return -1
end

local function take_window(limit, amount, dead)
  local where = key('window', limit.name, limit.scope)
  if #dead > 0 then redis.call('HDEL', where, unpack(dead)) end
  redis.call('HINCRBY', where, digits(bucket_of(limit)), digits(amount))
  redis.call('PEXPIRE', where, digits(limit.window_ms * 2))
end

-- A settlement corrects the bucket its reservation was taken in; what was used beyond it counts
-- now where that bucket is forgotten already. A bucket that was cleared before the clock was set
-- back is not brought below zero.
local function correct_window(taken, difference)
  local where, bucket = key('window', taken.name, taken.scope), taken.bucket
  if difference == 0 then return end
  if not counts(tonumber(bucket), taken) or redis.call('HEXISTS', where, bucket) == 0 then
    if difference < 0 then return end
    bucket = digits(bucket_of(taken))
  end
  redis.call('HINCRBY', where, bucket, digits(difference))
  redis.call('PEXPIRE', where, digits(taken.window_ms * 2))
end

---- Limits -------------------------------------------------------------------------------------

-- How much of a limit is used, and what is needed to take more of it later.
local function used_of(limit, windows)
  if limit.kind == 'live' then
    return tonumber(redis.call('HGET', key('live'), limit.scope) or 0)
  end
  if limit.kind == 'window' then return window_of(limit) end
  local suffix = ':' .. limit.measure .. ':' .. limit.scope
  local totals = redis.call(
    'HMGET', key(limit.kind, windows[limit.kind].name), 'committed' .. suffix, 'held' .. suffix)
  return tonumber(totals[1] or 0) + tonumber(totals[2] or 0)
end

-- Milliseconds until as much would fit; -1: never, however long one waits.
local function wait_of(limit, need, used, alive, windows)
  if need > limit.amount then return -1 end
  if limit.kind == 'live' then return 1000 end
  if limit.kind == 'window' then return wait_for(limit, alive, used + need - limit.amount) end
  return windows[limit.kind].ends - now
end

---- Holds --------------------------------------------------------------------------------------

local function write_row(row, mark)
  redis.call('XADD', key('ledger'), '*', 'row', row, 'mark', mark)
end

local function forget(id)
  redis.call('HDEL', key('holds'), id)
  redis.call('ZREM', key('expiry'), id)
end

-- Lets holds end whose worker died or lost touch: nothing is charged, and a row says so.
local function sweep()
  local ended = redis.call(
    'ZRANGEBYSCORE', key('expiry'), '-inf', digits(now), 'LIMIT', 0, SWEPT_AT_ONCE)
  for _, id in ipairs(ended) do
    local raw = redis.call('HGET', key('holds'), id)
    local hold = cjson.decode(raw)
    forget(id)
    total(hold, { { 'held', hold, -1, hold.scopes } })
    live(hold, -1)
    redis.call('SET', key('expired', id), raw, 'EX', REMEMBERED_S)
    write_row(hold.draft, 'expired')
  end
end

-- Whether a hold was taken in a scope; one that is gone was not.
local function is_held_in(scope, id)
  local raw = redis.call('HGET', key('holds'), id)
  for _, each in ipairs(raw and cjson.decode(raw).scopes or {}) do
    if each == scope then return true end
  end
  return false
end

-- The scopes but for those that are left out.
local function without(scopes, left_out)
  if not next(left_out) then return scopes end
  local kept = {}
  for _, scope in ipairs(scopes) do
    if not left_out[scope] then kept[#kept + 1] = scope end
  end
  return kept
end

---- Operations ---------------------------------------------------------------------------------

-- {id, scopes, requests, tokens, nano_usd, days, months, limits, ttl_ms, draft, aside}
-- -> {outcome: admitted | refused | unseeded | skewed, …}; amounts as strings, cjson would round
-- A limit is {name, scope, kind: live | window | hour | day | month, measure, amount, mode, window_ms?};
-- by the hour only what is spilled is limited.
-- Over one of mode `spill` nothing is taken in its scope, and the asker does not use what it limits.
-- Repeating a reservation by its id takes nothing again, and is answered so, too.
local function reserve(ask)
  local generation = redis.call('GET', key('generation'))
  if not generation then return { outcome = 'unseeded' } end
  local windows = windows_of(ask)
  if not windows then return { outcome = 'skewed', now = now } end
  sweep()
  local known = redis.call('HEXISTS', key('holds'), ask.id) == 1
    or redis.call('EXISTS', key('charged', ask.id)) == 1
  local left, spare, over, refused, taken, left_out = {}, {}, {}, nil, {}, {}
  for i, limit in ipairs(ask.limits) do
    local need = limit.kind == 'live' and 1 or ask[limit.measure]
    local used, alive, dead = used_of(limit, windows)
    if known then need = 0 end
    local room = limit.amount - used - need
    left[i] = digits(room)
    local is_over = room < 0 and need > 0
    if limit.mode == 'spill' then
      spare[i] = digits(limit.amount - used)
      if is_over or (known and not is_held_in(limit.scope, ask.id)) then
        over[#over + 1] = i - 1
        left_out[limit.scope] = true
      end
    elseif is_over then
      over[#over + 1] = i - 1
      local wait = wait_of(limit, need, used, alive, windows)
      local longer = not refused or (refused.wait_ms >= 0 and (wait < 0 or wait > refused.wait_ms))
      if limit.mode == 'hard' and longer then
        refused = { limit = i - 1, used = digits(used), wait_ms = wait }
      end
    end
    if limit.kind == 'window' then taken[#taken + 1] = { limit = limit, need = need, dead = dead } end
  end
  for i, left_alone in pairs(spare) do  -- of two budgets one may have room, and the other not
    if left_out[ask.limits[i].scope] then left[i] = left_alone end
  end
  local answer = { generation = generation, now = now, left = left, over = over,
    day = windows.day.name, month = windows.month.name, hour = windows.hour.name }
  if refused then
    answer.outcome, answer.refused = 'refused', refused
    return answer
  end
  answer.outcome = 'admitted'
  if known then return answer end
  local sliding = {}
  for _, each in ipairs(taken) do
    take_window(each.limit, each.need, each.dead)
    if each.limit.measure == 'tokens' then
      sliding[#sliding + 1] = { name = each.limit.name, scope = each.limit.scope,
        window_ms = each.limit.window_ms, bucket = digits(bucket_of(each.limit)) }
    end
  end
  local hold = { scopes = without(ask.scopes, left_out), windows = sliding,
    day = windows.day, month = windows.month, hour = windows.hour,
    requests = ask.requests, tokens = ask.tokens, nano_usd = digits(ask.nano_usd),
    draft = ask.draft, aside = ask.aside or nil }
  total(hold, { { 'held', ask, 1, hold.scopes } })
  live(hold, 1)
  redis.call('DEL', key('expired', ask.id))  -- asked for again: there is one hold to settle
  redis.call('HSET', key('holds'), ask.id, cjson.encode(hold))
  redis.call('ZADD', key('expiry'), digits(now + ask.ttl_ms), ask.id)
  return answer
end

-- {ids, ttl_ms} -> the ids that are still held. What ended is not brought back.
local function extend(ask)
  sweep()
  local alive = {}
  for _, id in ipairs(ask.ids) do
    if redis.call('ZSCORE', key('expiry'), id) then
      redis.call('ZADD', key('expiry'), 'XX', digits(now + ask.ttl_ms), id)
      alive[#alive + 1] = id
    end
  end
  return { alive = alive }
end

-- The hold that an item settles, and how it came: settled, late, adopted or duplicate. A hold that
-- is gone was settled already, unless it was taken in another generation (before a flush, or in a
-- worker's own memory during an outage): that charge is adopted, once. Whether its reservation
-- reached us after all, before or after, changes nothing: such a settlement is remembered by id. An empty generation gives
-- back a hold that its asker never heard of, if there is one.
local function claim(item, generation)
  local foreign = item.generation ~= '' and item.generation ~= generation
  if foreign and
    not redis.call('SET', key('charged', item.id), '1', 'NX', 'EX', REMEMBERED_S) then
    return nil, 'duplicate'
  end
  local raw = redis.call('HGET', key('holds'), item.id)
  if raw then
    forget(item.id)
    return cjson.decode(raw), 'settled'
  end
  raw = redis.call('GET', key('expired', item.id))
  if raw then
    redis.call('DEL', key('expired', item.id))
    return cjson.decode(raw), 'late'
  end
  if foreign then return item, 'adopted' end
  return nil, 'duplicate'
end

-- Raises an error where an item is not as it must be, before anything is written.
local function check(item)
  assert(type(item.row) == 'string', 'settle: an item without its row')
  if not item.id then return end
  for _, measure in ipairs(MEASURES) do
    assert(type(item.actual[measure]) == 'number', 'settle: an item without its amounts')
  end
  assert(#item.scopes > 0 and item.generation, 'settle: an item without its account')
  assert(item.day.ends and item.month.ends, 'settle: an item without its windows')
end

-- The rows of the ledger from a moment on. A row has no id that could be remembered at a price; one
-- whose answer was lost is told by what it says.
local function rows_since(moment)
  local known = {}
  local entries = redis.call(
    'XREVRANGE', key('ledger'), '+', digits(moment), 'COUNT', LOOKED_BACK)
  for _, entry in ipairs(entries) do known[entry[2][2]] = true end
  return known
end

local function known_rows(items)
  local since
  for _, item in ipairs(items) do
    if item.sent and (not since or item.sent < since) then since = item.sent end
  end
  return since and rows_since(since) or {}
end

local function settle_one(item, generation, known)
  if not item.id then
    if item.sent and known[item.row] then return 'duplicate' end
    write_row(item.row, '')
    return 'recorded'
  end
  local hold, how = claim(item, generation)
  if not hold then return how end
  local changes = { { 'committed', item.actual, 1, item.scopes } }
  if how == 'settled' then
    changes[2] = { 'held', hold, -1, hold.scopes }
    live(hold, -1)
  end
  total(hold, changes)
  for _, taken in ipairs(hold.windows or {}) do
    correct_window(taken, item.actual.tokens - hold.tokens)
  end
  write_row(item.row, how == 'settled' and '' or how)
  return how
end

-- {items: [{id, generation, actual: {requests, tokens, nano_usd}, row, scopes, day, month, hour?}]}
-- -> {outcomes: [settled | late | adopted | duplicate | recorded]}
-- A release is a settlement of nothing. `scopes` are those that are charged, be it fewer than are
-- held in, or others; `day`, `month` and `hour` are used where no hold is. An item of a row alone is a
-- request that reserved nothing; `sent` is when it was sent before without an answer, if it was.
local function settle(ask)
  local generation = redis.call('GET', key('generation'))
  if not generation then return { outcome = 'unseeded' } end
  local outcomes = {}
  for _, item in ipairs(ask.items) do check(item) end
  local known = known_rows(ask.items)
  for i, item in ipairs(ask.items) do outcomes[i] = settle_one(item, generation, known) end
  return { outcomes = outcomes }
end

-- {replaces, generation, totals: [{period, name, ends, fields: {field: amount}}], charged: [id]}
-- -> {seeded, generation}. Committed totals become what the archive says; holds stay.
-- `replaces` is the generation that is to end, empty for none: of two seeders one wins. The totals
-- hold what is in `charged`: a settlement of it whose answer was lost comes from another generation.
local function seed(ask)
  local known = redis.call('GET', key('generation')) or ''
  if known ~= ask.replaces then return { seeded = false, generation = known } end
  for _, entry in ipairs(ask.totals) do
    local where = key(entry.period, entry.name)
    for field, amount in pairs(entry.fields) do
      redis.call('HSET', where, 'committed:' .. field, digits(amount))
    end
    redis.call('PEXPIREAT', where, digits(entry.ends + KEPT_MS))
  end
  for _, id in ipairs(ask.charged) do
    redis.call('SET', key('charged', id), '1', 'NX', 'EX', SEEDED_S)
  end
  redis.call('SET', key('generation'), ask.generation)
  return { seeded = true, generation = ask.generation }
end

-- Ends the generation: nothing is admitted or charged by the account until it is seeded.
local function end_generation()
  redis.call('DEL', key('generation'))
  return { outcome = 'ended' }
end

-- {days, months, limits} -> {used: [per limit], generation, day, month, now}
local function read(ask)
  local windows = windows_of(ask)
  if not windows then return { outcome = 'skewed', now = now } end
  sweep()
  local used = {}
  for i, limit in ipairs(ask.limits) do used[i] = digits((used_of(limit, windows))) end
  return { used = used, generation = redis.call('GET', key('generation')) or '',
    day = windows.day.name, month = windows.month.name, now = now }
end

local operations = { reserve = reserve, extend = extend, settle = settle, seed = seed,
  ['end'] = end_generation, read = read }
return cjson.encode(operations[ARGV[1]](cjson.decode(ARGV[2])))
