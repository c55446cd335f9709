-- One answer that is kept, if it is of its tenant's present generation; what is kept is told in
-- `answers.lua`. It writes nothing, so a full Redis answers it, too.
--
-- KEYS[1]  spillgate:answers:{TENANT}
-- ARGV[1]  the fingerprint, in hex
-- returns  { what it is, its body }, or nil

assert(#KEYS == 1 and #ARGV == 1, "answers_find: one key and one fingerprint are needed")
local generation = redis.call("ZSCORE", KEYS[1], "generation")
if not generation then
  return false
end
local answer = redis.call("HMGET", KEYS[1] .. ":entry:" .. ARGV[1], "generation", "meta", "body")
if answer[1] ~= generation then
  return false
end
return { answer[2], answer[3] }
