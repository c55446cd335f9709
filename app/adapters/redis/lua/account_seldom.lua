
---- extend, seed, end, read --------------------------------------------------------------------

local SEEDED_S = 3600         -- how long what was settled before a flush may be repeated

-- {ids, ttl_ms} -> the ids that are still held. What ended is not brought back.
local function extend(ask)
  sweep()
  local alive = {}
  for _, id in ipairs(ask.ids) do
    if call('ZSCORE', EXPIRY, id) then
      call('ZADD', EXPIRY, 'XX', digits(now + ask.ttl_ms), id)
      alive[#alive + 1] = id
    end
  end
  return { alive = alive }
end

-- {replaces, generation, totals: [{period, name, ends, fields: {field: amount}}], charged: [id]}
-- -> {seeded, generation}. Committed totals become what the archive says; holds stay.
-- `replaces` is the generation that is to end, empty for none: of two seeders one wins. The totals
-- hold what is in `charged`: a settlement of it whose answer was lost comes from another generation.
local function seed(ask)
  local known = call('GET', PREFIX .. 'generation') or ''
  if known ~= ask.replaces then return { seeded = false, generation = known } end
  for _, entry in ipairs(ask.totals) do
    local where = PREFIX .. entry.period .. ':' .. entry.name
    for field, amount in pairs(entry.fields) do
      call('HSET', where, 'committed:' .. field, digits(amount))
    end
    call('PEXPIREAT', where, digits(entry.ends + KEPT_MS))
  end
  for _, id in ipairs(ask.charged) do
    call('SET', PREFIX .. 'charged:' .. id, '1', 'NX', 'EX', SEEDED_S)
  end
  call('SET', PREFIX .. 'generation', ask.generation)
  return { seeded = true, generation = ask.generation }
end

-- Ends the generation: nothing is admitted or charged by the account until it is seeded.
local function end_generation()
  call('DEL', PREFIX .. 'generation')
  return { outcome = 'ended' }
end

-- {days, months, limits} -> {used: [per limit], generation, day, month, now}
local function read(ask)
  local windows = windows_of(ask.days, ask.months)
  if not windows then return { outcome = 'skewed', now = now } end
  sweep()
  local used = {}
  for i, limit in ipairs(ask.limits) do used[i] = digits(used_of(meter_of(limit, windows))) end
  return { used = used, generation = call('GET', PREFIX .. 'generation') or '',
    day = windows.day[NAME], month = windows.month[NAME], now = now }
end

local given = cjson.decode(ARGV[1])
local operations = { extend = extend, seed = seed, ['end'] = end_generation, read = read }
return cjson.encode(operations[given.operation](given))
