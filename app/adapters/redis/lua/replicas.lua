-- Who is alive: each worker says so every few seconds, and is told how many did.
--
-- KEYS[1]  sorted set; worker -> when it last said so, by the server's clock
-- ARGV[1]  the worker   ARGV[2]  seconds after which a silent one no longer counts; 0: it leaves

local now = tonumber(redis.call('TIME')[1])
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return redis.call('ZCARD', KEYS[1])
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - tonumber(ARGV[2])))
redis.call('EXPIRE', KEYS[1], 2 * ARGV[2])
return redis.call('ZCARD', KEYS[1])
