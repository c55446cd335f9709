-- Holds a deployment; of several holds the one that ends last is in force.
--
-- KEYS[1]  spillgate:hold:{<deployment>}: the hold's end in milliseconds of this server's clock,
--          kept until then
-- ARGV[1]  how long the hold lasts from now, in whole milliseconds, at least 1
-- ARGV[2]  the channel on which replicas are told "<remaining ms> <deployment>"
-- ARGV[3]  the deployment
-- returns  what remains of the hold in force, in milliseconds
--
-- Remaining time travels, never a time of day: no two machines need to agree on one.

assert(#KEYS == 1, "hold: one key is needed")
assert(#ARGV == 3, "hold: duration, channel and deployment are needed")
local duration = assert(tonumber(ARGV[1]), "hold: the duration is not a number")
assert(duration >= 1 and duration % 1 == 0, "hold: the duration is not whole milliseconds")

local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local held_until = tonumber(redis.call("GET", KEYS[1]) or 0)

if held_until >= now + duration then
  return held_until - now
end

redis.call("SET", KEYS[1], string.format("%.0f", now + duration), "PX", string.format("%.0f", duration))
redis.call("PUBLISH", ARGV[2], string.format("%.0f %s", duration, ARGV[3]))
return duration
