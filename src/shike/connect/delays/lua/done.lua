-- A message was taken, or could not be and is to come again.
-- KEYS[1]  the sorted set of ids
-- KEYS[2]  the hash of messages
-- ARGV[1]  the id
-- ARGV[2]  −1: it is done with; else after how many milliseconds it comes again
if ARGV[2] == '-1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  local now = redis.call('TIME')
  local millis = math.floor(tonumber(now[1]) * 1000 + tonumber(now[2]) / 1000)
  redis.call('ZADD', KEYS[1], 'XX', millis + tonumber(ARGV[2]), ARGV[1])
end
return 0
