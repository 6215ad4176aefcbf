-- Take what is due. It stays in the set, due again when the receiver has had it for too long.
-- KEYS[1]  the sorted set of ids
-- KEYS[2]  the hash of messages
-- ARGV[1]  how many at most
-- ARGV[2]  for how many milliseconds they may be in hand
-- answers  {milliseconds until the next is due, or −1; id, message, id, message, …}
local now = redis.call('TIME')
local millis = math.floor(tonumber(now[1]) * 1000 + tonumber(now[2]) / 1000)
local answer = { -1 }
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', millis, 'LIMIT', 0, ARGV[1])) do
  local message = redis.call('HGET', KEYS[2], id)
  if message then
    redis.call('ZADD', KEYS[1], millis + tonumber(ARGV[2]), id)
    answer[#answer + 1] = id
    answer[#answer + 1] = message
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if first[2] then
  answer[1] = math.max(tonumber(first[2]) - millis, 0)
end
return answer
