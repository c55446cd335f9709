
---- Limits -------------------------------------------------------------------------------------

-- A limit is an array, since a request brings up to a dozen: kind (live | window | hour | day |
-- month), measure, scope, amount, mode, length of its window in ms, NAME:SCOPE, and what a hold says
-- of it before its bucket. A calendar window is one, too: its name, its first moment, and its end.
local KIND, MEASURE, SCOPE, AMOUNT, MODE, LENGTH, WHERE, NOTE = 1, 2, 3, 4, 5, 6, 7, 8
local NAME, STARTS, ENDS = 1, 2, 3
local HOUR_MS = 3600000

-- The calendar window that the server's time is in; nil where the asker's clock is far off.
local function current(windows)
  for i = 1, #windows do
    local window = windows[i]
    if window[STARTS] <= now and now < window[ENDS] then return window end
  end
end

-- The windows that the server's time is in, by kind; nil where the asker's clock is far off. Hours
-- are counted from the day's beginning: they are parts of their day in every zone, also where clocks
-- change. The last one may be shorter.
local function windows_of(days, months)
  local day, month = current(days), current(months)
  if not (day and month) then return end
  local number = math.floor((now - day[STARTS]) / HOUR_MS)
  local starts = day[STARTS] + number * HOUR_MS
  local hour = { format('%sT%02d', day[NAME], number), starts, math.min(starts + HOUR_MS, day[ENDS]) }
  return { day = day, month = month, hour = hour }
end

-- Hashes whose fields are numbers: key -> field -> what it is, with what was taken by now.
local known = {}

-- Has these fields at hand; whether the first was there.
local function look_up(where, fields)
  local found, values = call('HMGET', where, unpack(fields)), known[where]
  if not values then
    values = {}
    known[where] = values
  end
  for i = 1, #fields do values[fields[i]] = tonumber(found[i] or 0) end
  return found[1]
end

local function value(where, field)
  local values = known[where]
  if not (values and values[field]) then
    look_up(where, { field })
    values = known[where]
  end
  return values[field]
end

-- What a window's living buckets come to, those in order, and the dead ones.
local function buckets_of(where, window_ms)
  local entries = call('HGETALL', where)
  local sum, alive, dead = 0, {}, {}
  for i = 1, #entries, 2 do
    local bucket = tonumber(entries[i])
    if counts(bucket, window_ms) then
      local amount = tonumber(entries[i + 1])
      sum = sum + amount
      alive[#alive + 1] = { bucket = bucket, amount = amount }
    elseif bucket > 0 then
      dead[#dead + 1] = entries[i]
    end
  end
  table.sort(alive, function(a, b) return a.bucket < b.bucket end)
  return sum, alive, dead
end

-- Windows that were looked at, with what was taken and is not written yet.
local sliding = {}

local function window_of(limit)
  local where, window_ms = PREFIX .. 'window:' .. limit[WHERE], limit[LENGTH]
  local window = sliding[where]
  if window then
    assert(window.window_ms == window_ms, 'reserve: asks of one call with two lengths of a window')
    return window
  end
  local bucket = bucket_at(now, window_ms)
  local tag = digits(window_ms) .. bucket
  local kept = call('HMGET', where, SUM, SUMMED, bucket)
  window = { where = where, window_ms = window_ms, bucket = bucket, tag = tag, taken = 0,
    amount = tonumber(kept[3] or 0), is_new = not kept[3] }
  if kept[1] and kept[2] == tag then
    window.sum = tonumber(kept[1])
  else
    local _
    window.sum, _, window.dead = buckets_of(where, window_ms)
  end
  sliding[where] = window
  return window
end

-- What tells how much of a limit is used: its sliding window, or one or two fields of a hash.
local function meter_of(limit, windows)
  local kind, scope = limit[KIND], limit[SCOPE]
  if kind == 'window' then return window_of(limit) end
  if kind == 'live' then
    value(LIVE, scope)
    return { values = known[LIVE], field = scope }
  end
  local where, suffix = PREFIX .. kind .. ':' .. windows[kind][NAME], limit[MEASURE] .. ':' .. scope
  local meter = { field = 'committed:' .. suffix, held = 'held:' .. suffix }
  value(where, meter.field)
  value(where, meter.held)
  meter.values = known[where]
  return meter
end

local function used_of(meter)
  if meter.sum then return meter.sum end
  local values = meter.values
  return values[meter.field] + (meter.held and values[meter.held] or 0)
end
