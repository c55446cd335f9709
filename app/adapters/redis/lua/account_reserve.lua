
---- reserve ------------------------------------------------------------------------------------

-- An ask is an array, too, its amounts in the order of MEASURES; and so is what several of them have
-- in common, which is given once.
local ID, COMMON, AMOUNTS = 1, 2, 2
local SCOPES, SCOPES_JSON, LIMITS, DAYS, MONTHS, ASIDE = 1, 2, 3, 4, 5, 6
local MEASURED = { requests = 3, tokens = 4, nano_usd = 5 }

local function json_of(window)
  return '{"name":"' .. window[NAME] .. '","starts":' .. digits(window[STARTS]) .. ',"ends":'
    .. digits(window[ENDS]) .. '}'
end

-- The fields that are taken of, with what each counts and where; `only` in one scope, or in all.
local function taken_of(scopes, only)
  local fields, measures, in_scopes, count = {}, {}, {}, 0
  for m = 1, #MEASURES do
    local prefix = 'held:' .. MEASURES[m] .. ':'
    for s = 1, #scopes do
      if not only or scopes[s] == only then
        count = count + 1
        fields[count], measures[count], in_scopes[count] = prefix .. scopes[s], AMOUNTS + m, scopes[s]
      end
    end
  end
  return { fields = fields, measures = measures, scopes = in_scopes }
end

-- Looks up the totals of one calendar window: those that are taken of, in one call with those that
-- limits are about.
local function totals_of(common, period, window, taken)
  local needed = taken.fields
  for _, limit in ipairs(common[LIMITS]) do
    if limit[KIND] == period then
      if needed == taken.fields then needed = { unpack(needed) } end
      needed[#needed + 1] = 'committed:' .. limit[MEASURE] .. ':' .. limit[SCOPE]
    end
  end
  local where = PREFIX .. period .. ':' .. window[NAME]
  return { where = where, ends = window[ENDS], taken = taken, is_old = look_up(where, needed) }
end

-- Looks up all that asks with this in common need; nil where the asker's clock is far off.
local function look_up_all(common)
  local windows, scopes = windows_of(common[DAYS], common[MONTHS]), common[SCOPES]
  if not windows then return end
  local taken = taken_of(scopes)
  local totals = { totals_of(common, 'day', windows.day, taken),
    totals_of(common, 'month', windows.month, taken) }
  for s = 1, #scopes do
    if scopes[s] == SPILLED then
      totals[3] = totals_of(common, 'hour', windows.hour, taken_of(scopes, SPILLED))
    end
  end
  if not common[ASIDE] then look_up(LIVE, scopes) end
  local meters = {}
  for i, limit in ipairs(common[LIMITS]) do meters[i] = meter_of(limit, windows) end
  return { windows = windows, totals = totals, meters = meters, json = '],"day":'
    .. json_of(windows.day) .. ',"month":' .. json_of(windows.month) .. ',"hour":'
    .. json_of(windows.hour) }
end

-- Milliseconds until `excess` has left the window.
local function wait_for(window, excess)
  local _, alive = buckets_of(window.where, window.window_ms)
  for _, entry in ipairs(alive) do
    excess = excess - entry.amount
    if excess <= 0 then return entry.bucket + window.window_ms - now end
  end
  if excess <= window.taken then return tonumber(window.bucket) + window.window_ms - now end
  return -1
end

-- Milliseconds until as much would fit; -1: never, however long one waits.
local function wait_of(limit, need, used, meter, windows)
  if need > limit[AMOUNT] then return -1 end
  if limit[KIND] == 'live' then return 1000 end
  if meter.sum then return wait_for(meter, used + need - limit[AMOUNT]) end
  return windows[limit[KIND]][ENDS] - now
end

-- Whether a hold was taken in a scope; one that is gone was not.
local function is_held_in(scope, raw)
  for _, each in ipairs(raw and cjson.decode(raw).scopes or {}) do
    if each == scope then return true end
  end
  return false
end

-- The hold as JSON. What names of scopes it has in it was made JSON by the asker.
local function hold_of(ask, common, needed, left_out, notes, draft)
  local scopes = common[SCOPES_JSON]
  if left_out then
    local kept = {}
    for _, scope in ipairs(common[SCOPES]) do
      if not left_out[scope] then kept[#kept + 1] = scope end
    end
    scopes = #kept > 0 and cjson.encode(kept) or '[]'
  end
  return '{"scopes":' .. scopes .. ',"windows":[' .. notes .. needed.json .. ',"requests":'
    .. digits(ask[3]) .. ',"tokens":' .. digits(ask[4]) .. ',"nano_usd":"' .. digits(ask[5])
    .. (common[ASIDE] and '","aside":true,"draft":' or '","draft":') .. draft .. '}'
end

-- Takes it of windows and totals, but for the scopes that it is left out of; what its hold says of
-- windows.
local function take(ask, common, needed, left_out)
  local notes, limits = {}, common[LIMITS]
  for i = 1, #limits do
    local limit, window = limits[i], needed.meters[i]
    if window.sum then
      local amount = ask[MEASURED[limit[MEASURE]]]
      window.is_taken = true
      window.amount, window.sum = window.amount + amount, window.sum + amount
      window.taken = window.taken + amount
      if limit[NOTE] then notes[#notes + 1] = limit[NOTE] .. window.bucket .. '"}' end
    end
  end
  for t = 1, #needed.totals do
    local taken = needed.totals[t].taken
    local values, fields, measures, scopes =
      known[needed.totals[t].where], taken.fields, taken.measures, taken.scopes
    for i = 1, #fields do
      if not (left_out and left_out[scopes[i]]) then
        values[fields[i]] = values[fields[i]] + ask[measures[i]]
      end
    end
  end
  local values, scopes = known[LIVE], common[SCOPES]
  for s = 1, common[ASIDE] and 0 or #scopes do
    if not (left_out and left_out[scopes[s]]) then values[scopes[s]] = values[scopes[s]] + 1 end
  end
  needed.is_taken = true
  return table.concat(notes, ',')
end

-- What is refused, or nothing; what is left of each limit, those that are gone over, and the scopes
-- that are therefore left out. `was` is what the ask has already: its hold, or true.
local function judge(ask, limits, needed, was)
  local left, over, spare, left_out, refused = {}, {}, nil, nil, nil
  for i = 1, #limits do
    local limit = limits[i]
    local meter = needed.meters[i]
    local used = used_of(meter)
    local need = was and 0 or limit[KIND] == 'live' and 1 or ask[MEASURED[limit[MEASURE]]]
    local room = limit[AMOUNT] - used - need
    local is_over = room < 0 and need > 0
    left[i] = digits(room)
    if limit[MODE] == 'spill' then
      spare = spare or {}
      spare[i] = digits(limit[AMOUNT] - used)
      if is_over or (was and not is_held_in(limit[SCOPE], was ~= true and was)) then
        over[#over + 1] = i - 1
        left_out = left_out or {}
        left_out[limit[SCOPE]] = true
      end
    elseif is_over then
      over[#over + 1] = i - 1
      local wait = wait_of(limit, need, used, meter, needed.windows)
      local longer = not refused or (refused.wait >= 0 and (wait < 0 or wait > refused.wait))
      if limit[MODE] == 'hard' and longer then
        refused = { limit = i - 1, used = digits(used), wait = wait }
      end
    end
  end
  for i, left_alone in pairs(left_out and spare or {}) do
    -- Of two budgets one may have room, and the other not.
    if left_out[limits[i][SCOPE]] then left[i] = left_alone end
  end
  return refused, left, over, left_out
end

-- Of one ask: its answer, and its hold if it is admitted and new.
local function reserve_one(ask, common, needed, was, draft)
  if not needed then return 'skewed' end
  local windows = needed.windows
  local refused, left, over, left_out = judge(ask, common[LIMITS], needed, was)
  if refused then
    return 'refused ' .. refused.limit .. ' ' .. refused.used .. ' ' .. digits(refused.wait)
  end
  local answer = (was and 'known ' or 'admitted ') .. windows.day[NAME] .. ' ' .. windows.month[NAME]
    .. ' ' .. windows.hour[NAME] .. ' ' .. table.concat(left, ',') .. ' ' .. table.concat(over, ',')
  if was then return answer end
  local notes = take(ask, common, needed, left_out)
  return answer, hold_of(ask, common, needed, left_out, notes, draft)
end

local function write_window(window)
  if not window.is_taken then return end
  if window.dead and #window.dead > 0 then call('HDEL', window.where, unpack(window.dead)) end
  call('HSET', window.where, window.bucket, digits(window.amount), SUM, digits(window.sum), SUMMED,
    window.tag)
  -- Twice as long as it is: a new bucket comes long before.
  if window.is_new then call('PEXPIRE', window.where, digits(window.window_ms * 2)) end
end

local function write_sums(where, fields)
  local values, sums = known[where], {}
  for i = 1, #fields do
    sums[2 * i - 1], sums[2 * i] = fields[i], digits(values[fields[i]])
  end
  call('HSET', where, unpack(sums))
end

local function write_taken(common, needed)
  for _, totals in ipairs(needed.totals) do
    write_sums(totals.where, totals.taken.fields)
    -- Where one of its fields was there, so was its end.
    if not totals.is_old then
      call('PEXPIREAT', totals.where, digits(totals.ends + KEPT_MS))
    end
  end
  if not common[ASIDE] then write_sums(LIVE, common[SCOPES]) end
end

-- [ttl_ms, [[scopes, scopes as JSON, limits, days, months, aside]],
--  [[id, which of those, requests, tokens, nano_usd]]]; then, as an argument for each ask, its
-- ledger row for the case that it expires, as a JSON string.
-- -> a line `NOW GENERATION`, and one for each ask: `admitted | known DAY MONTH HOUR LEFT OVER`,
-- numbers with commas between, `refused LIMIT USED WAIT_MS`, or `skewed`; or `unseeded` alone.
-- By the hour only what is spilled is limited.
-- Over a limit of mode `spill` nothing is taken in its scope, and the asker does not use what it
-- limits. Repeating a reservation by its id takes nothing again, and is answered so, too.
local function reserve(ttl_ms, commons, asks)
  local ids, marks_of = {}, { PREFIX .. 'generation' }
  for i = 1, #asks do
    ids[i] = asks[i][ID]
    marks_of[2 * i], marks_of[2 * i + 1] = PREFIX .. 'charged:' .. ids[i], PREFIX .. 'expired:' .. ids[i]
  end
  local marks = call('MGET', unpack(marks_of))
  if not marks[1] then return 'unseeded' end
  if sweep() then marks = call('MGET', unpack(marks_of)) end
  local kept, needed, taken = call('HMGET', HOLDS, unpack(ids)), {}, {}
  for c = 1, #commons do needed[c] = look_up_all(commons[c]) or false end
  local answers, holds, ends, revived = { digits(now) .. ' ' .. marks[1] }, {}, {}, {}
  local expires = digits(now + ttl_ms)
  for i = 1, #asks do
    local ask, id = asks[i], ids[i]
    local was = kept[i] or taken[id] or (marks[2 * i] and true)
    local answer, hold = reserve_one(
      ask, commons[ask[COMMON]], needed[ask[COMMON]], was, ARGV[i + 1])
    answers[i + 1] = answer
    if hold then
      taken[id] = hold
      holds[#holds + 1], holds[#holds + 2] = id, hold
      ends[#ends + 1], ends[#ends + 2] = expires, id
      if marks[2 * i + 1] then revived[#revived + 1] = marks_of[2 * i + 1] end
    end
  end
  if #holds > 0 then
    for c = 1, #commons do
      if needed[c] and needed[c].is_taken then write_taken(commons[c], needed[c]) end
    end
    for _, window in pairs(sliding) do write_window(window) end
    if #revived > 0 then call('DEL', unpack(revived)) end  -- there is one hold to settle
    call('HSET', HOLDS, unpack(holds))
    call('ZADD', EXPIRY, unpack(ends))
  end
  return table.concat(answers, '\n')
end

return reserve(unpack(cmsgpack.unpack(ARGV[1])))
