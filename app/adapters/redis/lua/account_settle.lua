
---- settle -------------------------------------------------------------------------------------

local LOOKED_BACK = 5000      -- rows among which one that is sent again is looked for

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

local function correct(name, window_ms, bucket, difference)
  if difference == 0 then return end
  local by = name .. ' ' .. digits(window_ms) .. ' ' .. bucket
  local known = corrections[by]
  if not known then
    known = { where = PREFIX .. 'window:' .. name, window_ms = window_ms, bucket = bucket,
      more = 0, less = 0 }
    corrections[by] = known
  end
  local side = difference > 0 and 'more' or 'less'
  known[side] = known[side] + difference
end

-- The hold that an item settles, and how it came: settled, late, adopted or duplicate. A hold that
-- is gone was settled already, unless it was taken in another generation (before a flush, or in a
-- worker's own memory during an outage): that charge is adopted, once. Whether its reservation
-- reached us after all, before or after, changes nothing: such a settlement is remembered by id. An
-- empty generation gives back a hold that its asker never heard of, if there is one.
local function claim(item, generation)
  local foreign = item.generation ~= '' and item.generation ~= generation
  if foreign and
    not call('SET', PREFIX .. 'charged:' .. item.id, '1', 'NX', 'EX', REMEMBERED_S) then
    return nil, 'duplicate'
  end
  local raw = call('HGET', HOLDS, item.id)
  if raw then
    forget(item.id)
    return cjson.decode(raw), 'settled'
  end
  raw = call('GET', PREFIX .. 'expired:' .. item.id)
  if raw then
    call('DEL', PREFIX .. 'expired:' .. item.id)
    return cjson.decode(raw), 'late'
  end
  if foreign then return item.charge, 'adopted' end
  return nil, 'duplicate'
end

-- Leases that are settled of, by name: what is settled of each, which is held no more.
local leases = {}

-- A lease by its name, with its hold or the one that expired. Either is freed first, and written
-- again with what is left of it: a server without memory takes no first write that needs some.
local function lease_of(name)
  local lease = leases[name]
  if lease then return lease end
  local raw, expired = call('HGET', HOLDS, name), PREFIX .. 'expired:' .. name
  lease = { parts = PREFIX .. 'leased:' .. name, expired = expired, is_alive = raw and true,
    settled = { requests = 0, tokens = 0, nano_usd = 0 } }
  if raw then
    call('HDEL', HOLDS, name)
  else
    raw = call('GET', expired)
    if raw then call('DEL', expired) end
  end
  lease.raw, lease.hold = raw, raw and cjson.decode(raw)
  leases[name] = lease
  return lease
end

-- The lease that a part is settled of, and how it came, as of a hold. Which parts were settled is
-- remembered while anything is left of the lease; of one that is gone all were.
local function claim_part(item, generation)
  local foreign = item.generation ~= generation
  if foreign and
    not call('SET', PREFIX .. 'charged:' .. item.id, '1', 'NX', 'EX', REMEMBERED_S) then
    return nil, 'duplicate'
  end
  local lease = lease_of(item.lease)
  if lease.hold then
    if call('SETBIT', lease.parts, item.number, 1) == 1 then return nil, 'duplicate' end
    return lease, lease.is_alive and 'settled' or 'late'
  end
  return nil, foreign and 'adopted' or 'duplicate'
end

-- What is left of a lease as JSON; nothing where nothing is.
local function left_of(lease)
  local left, is_some = {}, false
  for m, measure in ipairs(MEASURES) do
    left[m] = tonumber(lease.hold[measure]) - lease.settled[measure]
    is_some = is_some or left[m] ~= 0
  end
  local amounts = format('"requests":%d,"tokens":%d,"nano_usd":"%d"', unpack(left))
  return is_some
    and lease.raw:gsub('"requests":%d+,"tokens":%d+,"nano_usd":"%d+"', amounts, 1)
end

-- Writes what is left of each lease; one that nothing is left of is gone.
local function write_leases(sums)
  for name, lease in pairs(leases) do
    local left = lease.hold and left_of(lease)
    if lease.is_alive then
      sums.total(lease.hold, 'held', lease.settled, -1, lease.hold.scopes)
    end
    if left and lease.is_alive then
      call('HSET', HOLDS, name, left)
    elseif left then
      call('SET', lease.expired, left, 'EX', REMEMBERED_S)
    elseif lease.hold then
      forget(name)
      call('DEL', lease.parts)
    end
    if left then call('EXPIRE', lease.parts, REMEMBERED_S) end
  end
end

-- Raises an error where an item is not as it must be, before anything is written.
local function check(item, charges)
  if not item.id then return end
  for _, measure in ipairs(MEASURES) do
    assert(type(item.actual[measure]) == 'number', 'settle: an item without its amounts')
    assert(type(item.held[measure]) == 'number', 'settle: an item without what it held')
  end
  local charge = charges[item.charge]
  assert(#charge.scopes > 0 and item.generation, 'settle: an item without its account')
  assert(charge.day.ends and charge.month.ends, 'settle: an item without its windows')
  item.charge = charge
  if not item.lease then return end
  assert(type(item.number) == 'number' and item.number >= 0, 'settle: a part without its number')
end

-- The rows of the ledger from a moment on. A row has no id that could be remembered at a price; one
-- whose answer was lost is told by what it says.
local function rows_since(moment)
  local known = {}
  local entries = call('XREVRANGE', PREFIX .. 'ledger', '+', digits(moment), 'COUNT', LOOKED_BACK)
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

-- Frees the holds that are known to those who settle them, and that are still there; which they are.
local function free_known(items, generation)
  local ids, freed = {}, {}
  for _, item in ipairs(items) do
    if item.hold and item.generation == generation then ids[#ids + 1] = item.id end
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

-- Adds amounts to what others of the same account have, so that totals change once for all of them.
local function sum_up(sums, charge, amounts)
  local sum = sums[charge]
  if not sum then
    sum = { charge = charge, requests = 0, tokens = 0, nano_usd = 0, count = 0 }
    sums[charge] = sum
    sums[#sums + 1] = sum
  end
  sum.requests, sum.tokens = sum.requests + amounts.requests, sum.tokens + amounts.tokens
  sum.nano_usd, sum.count = sum.nano_usd + amounts.nano_usd, sum.count + 1
end

local function settle_claimed(item, generation, sums)
  local hold, how = claim(item, generation)
  if not hold then return how end
  -- Where there is a hold, its windows are charged.
  sums.total(hold, 'committed', item.actual, 1, item.charge.scopes)
  if how == 'settled' then
    sums.total(hold, 'held', hold, -1, hold.scopes)
    sums.live(hold, hold.scopes, -1)
  end
  for _, taken in ipairs(how ~= 'adopted' and hold.windows or {}) do
    correct(taken.name .. ':' .. taken.scope, taken.window_ms, taken.bucket,
      item.actual.tokens - hold.tokens)
  end
  return how
end

-- As `settle_claimed`, of a part of a lease. What was not used of a lease is a part, too: of that
-- requests are given back to their windows.
local function settle_part(item, generation, committed)
  local lease, how = claim_part(item, generation)
  if how == 'duplicate' then return how end
  sum_up(committed, item.charge, item.actual)
  if how == 'adopted' then return how end
  local actual, held = item.actual, item.held
  for _, taken in ipairs(lease.hold.windows) do
    correct(taken.name .. ':' .. taken.scope, taken.window_ms, taken.bucket,
      actual.tokens - held.tokens)
  end
  for _, window in ipairs(item.unused or {}) do
    correct(window[1], window[2], bucket_at(item.at, window[2]), -held.requests)
  end
  for _, measure in ipairs(MEASURES) do
    lease.settled[measure] = lease.settled[measure] + held[measure]
  end
  return how
end

-- {charges: [{scopes, day, month, hour?, sliding: [[NAME:SCOPE, window_ms]], aside}],
--  items: [{id, generation, charge, actual: AMOUNTS, held: AMOUNTS, at, hold?, lease?, number?,
--           unused?: [[NAME:SCOPE, window_ms]]} | {sent?}]}, where AMOUNTS is {requests, tokens,
-- nano_usd}; then, as an argument for each item, its row, if it has one
-- -> settled | late | adopted | duplicate | recorded, for each; or `unseeded` alone.
-- A release is a settlement of nothing. The scopes of `charge` are those that are charged, be it
-- fewer than are held in, or others; its windows are used where no hold is. What is `held` was taken
-- `at` that moment. `hold` is the charge that it was told to be held in: it is not read then. An
-- item of a row alone is a request that reserved nothing; `sent` is when it was sent before without
-- an answer, if it was. A part was granted of a `lease`, a hold of that name: its `number` is unlike
-- that of any other part.
local function settle(given)
  local generation = call('GET', PREFIX .. 'generation')
  if not generation then return 'unseeded' end
  local items, charges, outcomes = given.items, given.charges, {}
  for _, item in ipairs(items) do check(item, charges) end
  local known, freed = known_rows(items), free_known(items, generation)
  local sums, committed, held = adding(), {}, {}
  for i, item in ipairs(items) do
    local row, how, mark = ARGV[i + 1], nil, ''
    if not item.id then
      how = item.sent and known[row] and 'duplicate' or 'recorded'
    elseif freed[item.id] then
      local charge = charges[item.hold]
      sum_up(committed, item.charge, item.actual)
      sum_up(held, charge, item.held)
      for _, window in ipairs(charge.sliding) do
        correct(window[1], window[2], bucket_at(item.at, window[2]),
          item.actual.tokens - item.held.tokens)
      end
      how, freed[item.id] = 'settled', nil
    elseif item.lease then
      how = settle_part(item, generation, committed)
      mark = how == 'settled' and '' or how
    else
      how = settle_claimed(item, generation, sums)
      mark = how == 'settled' and '' or how
    end
    outcomes[i] = how
    if how ~= 'duplicate' and row ~= '' then write_row(row, mark) end
  end
  for _, sum in ipairs(committed) do
    sums.total(sum.charge, 'committed', sum, 1, sum.charge.scopes)
  end
  for _, sum in ipairs(held) do
    sums.total(sum.charge, 'held', sum, -1, sum.charge.scopes)
    sums.live(sum.charge, sum.charge.scopes, -sum.count)
  end
  write_leases(sums)
  sums.write()
  for _, correction in pairs(corrections) do correct_window(correction) end
  return table.concat(outcomes, ' ')
end

return settle(cmsgpack.unpack(ARGV[1]))
