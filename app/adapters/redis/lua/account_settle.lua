
---- settle -------------------------------------------------------------------------------------

local LOOKED_BACK = 5000      -- rows among which one that is sent again is looked for
local UNUSED = 0              -- the number of that part of a lease which nobody used

-- An item is an array, for there are many: in the order of `_item` in account_packing.py. Amounts
-- begin after ACTUAL and HELD.
local ID, GENERATION, CHARGE, HOLD, AT, LEASE, NUMBER, SENT = 1, 2, 3, 4, 5, 6, 7, 8
local ACTUAL, HELD, LENGTH = 8, 11, 14
local REQUESTS, TOKENS, NANO_USD = 1, 2, 3
local MOST_PARTS = 4294967296  -- so many bits a string of Redis has

local charges, lease_names, items = unpack(cmsgpack.unpack(ARGV[1]))

-- A settlement corrects the bucket its reservation was taken in; what was used beyond it counts
-- now where that bucket is forgotten already. A bucket that was cleared before the clock was set
-- back is not brought below zero.
local function correct_window(correction)
  local where, window_ms, bucket = correction.where, correction.window_ms, correction.bucket
  local newest = bucket_at(now, window_ms)
  local kept = call('HMGET', where, bucket, newest, SUM, SUMMED)
  local difference, amount = correction.more + correction.less, tonumber(kept[1] or 0)
  if not kept[1] or not counts(tonumber(bucket), window_ms) then
    if correction.more == 0 then return end
    difference, bucket, amount = correction.more, newest, tonumber(kept[2] or 0)
  end
  if kept[3] and kept[4] == digits(window_ms) .. newest then
    call('HSET', where, bucket, digits(amount + difference),
      SUM, digits(tonumber(kept[3]) + difference))
  else
    call('HDEL', where, SUMMED)  -- it may have been summed up for another length
    call('HSET', where, bucket, digits(amount + difference))
  end
  call('PEXPIRE', where, digits(window_ms * 2))
end

-- Corrections that are to be made, by window and bucket: what counts more, and what counts less.
local corrections = {}

local function correct(name, window_ms, bucket, more, less)
  if more == 0 and less == 0 then return end
  local by = name .. ' ' .. digits(window_ms) .. ' ' .. bucket
  local known = corrections[by]
  if not known then
    known = { where = PREFIX .. 'window:' .. name, window_ms = window_ms, bucket = bucket,
      more = 0, less = 0 }
    corrections[by] = known
  end
  known.more, known.less = known.more + more, known.less + less
end

-- What counts more of a difference, and what less.
local function sides(difference)
  return math.max(difference, 0), math.min(difference, 0)
end

-- The hold that an item settles, and how it came: settled, late, adopted or duplicate. A hold that
-- is gone was settled already, unless it was taken in another generation (before a flush, or in a
-- worker's own memory during an outage): that charge is adopted, once. Whether its reservation
-- reached us after all, before or after, changes nothing: such a settlement is remembered by id. An
-- empty generation gives back a hold that its asker never heard of, if there is one.
local function claim(item, generation)
  local id = item[ID]
  local foreign = item[GENERATION] ~= '' and item[GENERATION] ~= generation
  if foreign and not call('SET', PREFIX .. 'charged:' .. id, '1', 'NX', 'EX', REMEMBERED_S) then
    return nil, 'duplicate'
  end
  local raw = call('HGET', HOLDS, id)
  if raw then
    forget(id)
    return cjson.decode(raw), 'settled'
  end
  raw = call('GET', PREFIX .. 'expired:' .. id)
  if raw then
    call('DEL', PREFIX .. 'expired:' .. id)
    return cjson.decode(raw), 'late'
  end
  if foreign then return charges[item[CHARGE]], 'adopted' end
  return nil, 'duplicate'
end

-- A lease by its place, with its hold or the one that expired, and what its parts come to. Either is
-- freed first, and written again with what is left of it: a server without memory takes no first
-- write that needs some.
local leases = {}

local function lease_of(place)
  local lease = leases[place]
  if lease then return lease end
  local name = lease_names[place]
  local raw, expired = call('HGET', HOLDS, name), PREFIX .. 'expired:' .. name
  lease = { name = name, parts = PREFIX .. 'leased:' .. name, expired = expired,
    is_alive = raw and true, requests = 0, tokens = 0, nano_usd = 0, more = 0, less = 0 }
  if raw then
    call('HDEL', HOLDS, name)
  else
    raw = call('GET', expired)
    if raw then call('DEL', expired) end
  end
  lease.raw, lease.hold = raw, raw and cjson.decode(raw)
  leases[place] = lease
  return lease
end

-- The lease that a part is settled of, and how it came, as of a hold. Which parts were settled is
-- remembered while anything is left of the lease; of one that is gone all were.
local function claim_part(item, generation)
  local foreign = item[GENERATION] ~= generation
  if foreign and not call(
    'SET', PREFIX .. 'charged:' .. item[ID], '1', 'NX', 'EX', REMEMBERED_S) then
    return nil, 'duplicate'
  end
  local lease = lease_of(item[LEASE])
  if lease.hold then
    if call('SETBIT', lease.parts, item[NUMBER], 1) == 1 then return nil, 'duplicate' end
    return lease, lease.is_alive and 'settled' or 'late'
  end
  return nil, foreign and 'adopted' or 'duplicate'
end

-- What is left of a lease as JSON; nothing where nothing is.
local function left_of(lease)
  local left, is_some = {}, false
  for m, measure in ipairs(MEASURES) do
    left[m] = tonumber(lease.hold[measure]) - lease[measure]
    is_some = is_some or left[m] ~= 0
  end
  local amounts = format('"requests":%d,"tokens":%d,"nano_usd":"%d"', unpack(left))
  return is_some
    and lease.raw:gsub('"requests":%d+,"tokens":%d+,"nano_usd":"%d+"', amounts, 1)
end

-- Corrects what each lease holds, in totals and windows, and writes what is left of it; one that
-- nothing is left of is gone.
local function write_leases(sums)
  for _, lease in pairs(leases) do
    local left = lease.hold and left_of(lease)
    for _, taken in ipairs(lease.hold and lease.hold.windows or {}) do
      correct(taken.name .. ':' .. taken.scope, taken.window_ms, taken.bucket, lease.more, lease.less)
    end
    if lease.is_alive then
      sums.total(lease.hold, 'held', lease, -1, lease.hold.scopes)
    end
    if left and lease.is_alive then
      call('HSET', HOLDS, lease.name, left)
    elseif left then
      call('SET', lease.expired, left, 'EX', REMEMBERED_S)
    elseif lease.hold then
      forget(lease.name)
      call('DEL', lease.parts)
    end
    if left then call('EXPIRE', lease.parts, REMEMBERED_S) end
  end
end

-- Raises an error where an item is not as it must be, before anything is written.
local function check(item)
  local charge, number = charges[item[CHARGE]], item[NUMBER]
  assert(#item == LENGTH, 'settle: an item of another length')
  for place = CHARGE, LENGTH do
    if item[place] ~= item[place] + 0 then error('settle: an item with no number for one') end
  end
  if item[CHARGE] == 0 then return end
  assert(type(item[ID]) == 'string' and item[ID] ~= '', 'settle: an item without its id')
  assert(type(item[GENERATION]) == 'string', 'settle: an item without its generation')
  assert(charge and #charge.scopes > 0, 'settle: an item without its account')
  assert(charge.day.ends and charge.month.ends, 'settle: an item without its windows')
  assert(item[HOLD] == 0 or charges[item[HOLD]], 'settle: an item without what it was held in')
  assert(item[LEASE] == 0 or lease_names[item[LEASE]], 'settle: a part without its lease')
  assert(number >= 0 and number < MOST_PARTS and number % 1 == 0, 'settle: no number of a part')
end

-- The rows of the ledger from a moment on. A row has no id that could be remembered at a price; one
-- whose answer was lost is told by what it says.
local function rows_since(moment)
  local known = {}
  local entries = call('XREVRANGE', LEDGER, '+', digits(moment), 'COUNT', LOOKED_BACK)
  for _, entry in ipairs(entries) do known[entry[2][2]] = true end
  return known
end

local function known_rows()
  local since
  for _, item in ipairs(items) do
    local sent = item[SENT]
    if sent > 0 and (not since or sent < since) then since = sent end
  end
  return since and rows_since(since) or {}
end

-- Frees the holds that are known to all who settle them, and that are still there; which they are.
local function free_known(generation)
  local ids, freed, unknown = {}, {}, {}
  for _, item in ipairs(items) do
    if item[HOLD] == 0 and item[LEASE] == 0 then unknown[item[ID]] = true end
  end
  for _, item in ipairs(items) do
    if item[HOLD] > 0 and item[GENERATION] == generation and not unknown[item[ID]] then
      ids[#ids + 1] = item[ID]
    end
  end
  if #ids == 0 then return freed end
  local ends, there = call('ZMSCORE', EXPIRY, unpack(ids)), {}
  for i, id in ipairs(ids) do
    if ends[i] and not freed[id] then
      freed[id] = true
      there[#there + 1] = id
    end
  end
  if #there > 0 then
    call('HDEL', HOLDS, unpack(there))
    call('ZREM', EXPIRY, unpack(there))
  end
  return freed
end

-- Adds the amounts of an item to a sum.
local function add_up(sum, item, amounts)
  sum.requests = sum.requests + item[amounts + REQUESTS]
  sum.tokens = sum.tokens + item[amounts + TOKENS]
  sum.nano_usd = sum.nano_usd + item[amounts + NANO_USD]
  return sum
end

-- The same to what others of the same charge have, so that totals change once for all of them.
local function sum_up(sums, place, item, amounts)
  local sum = sums[place]
  if not sum then
    sum = { charge = charges[place], requests = 0, tokens = 0, nano_usd = 0, count = 0 }
    sums[place] = sum
  end
  add_up(sum, item, amounts)
  sum.count = sum.count + 1
end

local function settle_claimed(item, generation, sums)
  local hold, how = claim(item, generation)
  if not hold then return how end
  -- Where there is a hold, its windows are charged.
  local charged = add_up({ requests = 0, tokens = 0, nano_usd = 0 }, item, ACTUAL)
  sums.total(hold, 'committed', charged, 1, charges[item[CHARGE]].scopes)
  if how == 'settled' then
    sums.total(hold, 'held', hold, -1, hold.scopes)
    sums.live(hold, hold.scopes, -1)
  end
  for _, taken in ipairs(how ~= 'adopted' and hold.windows or {}) do
    correct(taken.name .. ':' .. taken.scope, taken.window_ms, taken.bucket,
      sides(charged.tokens - hold.tokens))
  end
  return how
end

-- As `settle_claimed`, of a part of a lease. What was not used of a lease is a part, too: of that
-- requests are given back to their windows.
local function settle_part(item, generation, committed)
  local lease, how = claim_part(item, generation)
  if how == 'duplicate' then return how end
  sum_up(committed, item[CHARGE], item, ACTUAL)
  if how == 'adopted' then return how end
  local more, less = sides(item[ACTUAL + TOKENS] - item[HELD + TOKENS])
  lease.more, lease.less = lease.more + more, lease.less + less
  add_up(lease, item, HELD)
  if item[NUMBER] == UNUSED then
    for _, window in ipairs(charges[item[CHARGE]].counted) do
      correct(window[1], window[2], bucket_at(item[AT], window[2]), 0, -item[HELD + REQUESTS])
    end
  end
  return how
end

-- As `settle_claimed`, of a hold that was freed: it is not read.
local function settle_freed(item, committed, held)
  sum_up(committed, item[CHARGE], item, ACTUAL)
  sum_up(held, item[HOLD], item, HELD)
  local more, less = sides(item[ACTUAL + TOKENS] - item[HELD + TOKENS])
  for _, window in ipairs(charges[item[HOLD]].sliding) do
    correct(window[1], window[2], bucket_at(item[AT], window[2]), more, less)
  end
end

-- [[{scopes, day, month, hour?, sliding: WINDOWS, counted: WINDOWS, aside}], [id of a lease's hold],
--  [[id, generation, charge, hold, at, lease, number, sent, 3 amounts, 3 that were held]]], where
-- WINDOWS is [[NAME:SCOPE, window_ms]]; then, as an argument for each item, its row, if it has one
-- -> settled | late | adopted | duplicate | recorded, for each; or `unseeded` alone.
-- A release is a settlement of nothing. The scopes of its `charge` are those that are charged, be it
-- fewer than are held in, or others; its windows are used where no hold is. What is `held` was taken
-- `at` that moment. `hold` is the charge that it was told to be held in: it is not read then. Charges
-- and leases are named by their places, from 1 on; 0: there is none. An item without a `charge` is a
-- row alone, of a request that reserved nothing; `sent` is when it was sent before without an answer,
-- or 0. A part was granted of a `lease`: its `number` is unlike that of any other part of it. `sliding`
-- are windows of tokens, `counted` those of requests.
local function settle()
  local generation = call('GET', PREFIX .. 'generation')
  if not generation then return 'unseeded' end
  for i = 1, #items do check(items[i]) end
  local known, freed = known_rows(), free_known(generation)
  local sums, committed, held, outcomes = adding(), {}, {}, {}
  for i = 1, #items do
    local item, row, how, mark = items[i], ARGV[i + 1], nil, ''
    local id = item[ID]
    if item[CHARGE] == 0 then
      how = item[SENT] > 0 and known[row] and 'duplicate' or 'recorded'
    elseif freed[id] then
      settle_freed(item, committed, held)
      how, freed[id] = 'settled', nil
    else
      how = item[LEASE] > 0 and settle_part(item, generation, committed)
        or settle_claimed(item, generation, sums)
      mark = how == 'settled' and '' or how
    end
    outcomes[i] = how
    if how ~= 'duplicate' and row ~= '' then write_row(row, mark) end
  end
  for _, sum in pairs(committed) do
    sums.total(sum.charge, 'committed', sum, 1, sum.charge.scopes)
  end
  for _, sum in pairs(held) do
    sums.total(sum.charge, 'held', sum, -1, sum.charge.scopes)
    sums.live(sum.charge, sum.charge.scopes, -sum.count)
  end
  write_leases(sums)
  sums.write()
  for _, correction in pairs(corrections) do correct_window(correction) end
  return table.concat(outcomes, ' ')
end

return settle()
