-- Have a message wait. One with an id that waits already is not put a second time.
-- KEYS[1]  the sorted set of ids, by the millisecond at which they are due
-- KEYS[2]  the hash of messages by id
-- KEYS[3]  the key that expires at that moment; only where ARGV[5] asks for it
-- ARGV[1]  the id
-- ARGV[2]  the message
-- ARGV[3]  the delay, in milliseconds
-- ARGV[4]  0, or after how many milliseconds without a new message all of this may be dropped
-- ARGV[5]  1: have KEYS[3] expire
-- answers  1, or 0 where it waits already
local now = redis.call('TIME')
local due = math.floor(tonumber(now[1]) * 1000 + tonumber(now[2]) / 1000) + tonumber(ARGV[3]) + 1
if redis.call('ZADD', KEYS[1], 'NX', due, ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
if ARGV[5] == '1' then
  redis.call('SET', KEYS[3], '', 'PX', tonumber(ARGV[3]) + 2)
end
if ARGV[4] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return 1
