-- One tenant's account: limits, holds, totals and ledger, changed in one atomic step.
--
-- This is the beginning of every script of an account; what makes it one is joined to it. A script
-- makes all its functions anew whenever it is called, and so has no more of them than it needs.
--   account_reserve.lua  (with account_limits.lua)  reserve, for every request
--   account_settle.lua                              settle, for every request
--   account_seldom.lua   (with account_limits.lua)  extend | seed | end | read
--
-- KEYS[1]  spillgate:{TENANT}; every other key begins with it, so all of them are in one slot.
-- ARGV[1]  what it is given: as MessagePack where every request pays for it, else as JSON.
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
--   :leased:ID             bits; the parts of a lease, a hold, that were settled
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
--
-- Workers of several versions share an account while they are replaced one by one. What is kept has
-- therefore had one form since the first version; what is given and answered is a version's own.
-- Two fields of a window's hash are newer, see SUM: to older versions they are dead buckets, which
-- they remove whenever they take something. No newer one has to be told of what they did.

local MEASURES = { 'requests', 'tokens', 'nano_usd' }
local SPILLED = 'spill'       -- the one scope that has limits by the hour
local BUCKETS = 60            -- of a sliding window; what it forgets, it forgets a bucket at a time
local SWEPT_AT_ONCE = 1000    -- holds that one call lets expire
local REMEMBERED_S = 172800   -- how long a settlement may be late, or repeated without a hold
local KEPT_MS = 172800000     -- how long totals outlive their calendar window
local AT_ONCE = 1000          -- fields of one call; Lua has room for some 8000 arguments

-- What a window's living buckets come to, so that not all of them are read each time, and what it was
-- summed up for: the window's length and its newest bucket. It holds as long as that is the newest.
local SUM, SUMMED = '0', '-1'

local call, format = redis.call, string.format
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local PREFIX = KEYS[1] .. ':'
local HOLDS, EXPIRY, LIVE = PREFIX .. 'holds', PREFIX .. 'expiry', PREFIX .. 'live'
local LEDGER = PREFIX .. 'ledger'

-- Redis would write large numbers with an exponent.
local function digits(number)
  return format('%d', number)
end

-- A bucket is named by the first moment after it, which means the same when the window gets another
-- length. It counts until that moment is a whole window ago: never too much is admitted.
local function bucket_at(moment, window_ms)
  local length = window_ms / BUCKETS
  return digits(math.ceil((math.floor(moment / length) + 1) * length))
end

local function counts(bucket, window_ms)
  return bucket + window_ms > now
end

local function write_row(row, mark)
  call('XADD', LEDGER, '*', 'row', row, 'mark', mark)
end

---- Totals -------------------------------------------------------------------------------------

-- Adds to what hashes hold: all of it when it is written, each field once however often it changed.
-- -> {total, live, write}
local function adding()
  local sums = {}

  -- Changes that are the same in several hashes, which are named by `keys` and live until `ends`.
  local function sum_of(name, keys, ends)
    local sum = sums[name]
    if not sum then
      sum = { keys = keys, ends = ends, changes = {}, fields = {} }
      sums[name] = sum
    end
    return sum
  end

  local function add(sum, field, amount)
    local known = sum.changes[field]
    if not known then sum.fields[#sum.fields + 1] = field end
    sum.changes[field] = (known or 0) + amount
  end

  -- Changes the totals of the windows that `charge` names: those of the hour of what is spilled
  -- alone, and none where an older version granted it and named no hour. A state is held or committed.
  local function total(charge, state, amounts, sign, scopes)
    local day, month, hour = charge.day, charge.month, charge.hour
    local keys = { PREFIX .. 'day:' .. day.name, PREFIX .. 'month:' .. month.name }
    local sum = sum_of(keys[1] .. keys[2], keys, { day.ends, month.ends })
    for m = 1, #MEASURES do
      local amount = sign * amounts[MEASURES[m]]
      local prefix = state .. ':' .. MEASURES[m] .. ':'
      for s = 1, amount ~= 0 and #scopes or 0 do
        add(sum, prefix .. scopes[s], amount)
        if hour and scopes[s] == SPILLED then
          local key = PREFIX .. 'hour:' .. hour.name
          add(sum_of(key, { key }, { hour.ends }), prefix .. scopes[s], amount)
        end
      end
    end
  end

  -- How many more of these scopes run. What is held aside is in no concurrency: nobody who asks is
  -- kept out by it.
  local function live(hold, scopes, change)
    if hold.aside then return end
    local sum = sum_of(LIVE, { LIVE }, {})
    for s = 1, #scopes do add(sum, scopes[s], change) end
  end

  local function write_some(key, ends, sum, from)
    local fields, changes, values = sum.fields, sum.changes, {}
    local to, is_old = math.min(from + AT_ONCE - 1, #fields), false
    local known = call('HMGET', key, unpack(fields, from, to))
    for i = from, to do
      local field, amount, at = fields[i], known[i - from + 1], 2 * (i - from)
      is_old = is_old or amount
      values[at + 1], values[at + 2] = field, digits((amount or 0) + changes[field])
    end
    call('HSET', key, unpack(values))
    -- Where one of its fields was there, so was its end.
    if ends and not is_old then call('PEXPIREAT', key, digits(ends + KEPT_MS)) end
  end

  local function write()
    for _, sum in pairs(sums) do
      for i, key in ipairs(sum.keys) do
        for from = 1, #sum.fields, AT_ONCE do write_some(key, sum.ends[i], sum, from) end
      end
    end
  end

  return { total = total, live = live, write = write }
end

---- Holds --------------------------------------------------------------------------------------

local function forget(id)
  call('HDEL', HOLDS, id)
  call('ZREM', EXPIRY, id)
end

-- Lets holds end whose worker died or lost touch: nothing is charged, and a row says so. Whether
-- there were any.
local function sweep()
  local ended = call('ZRANGEBYSCORE', EXPIRY, '-inf', digits(now), 'LIMIT', 0, SWEPT_AT_ONCE)
  if #ended == 0 then return false end
  local sums = adding()
  for _, id in ipairs(ended) do
    local raw = call('HGET', HOLDS, id)
    local hold = raw and cjson.decode(raw)
    forget(id)
    if hold then  -- else a call that failed half way lost it: keep no other out for that
      sums.total(hold, 'held', hold, -1, hold.scopes)
      sums.live(hold, hold.scopes, -1)
      call('SET', PREFIX .. 'expired:' .. id, raw, 'EX', REMEMBERED_S)
      write_row(hold.draft, 'expired')
    end
  end
  sums.write()
  return true
end
