-- Take the first of these locks that is free, or already the asker's.
-- KEYS[1]  the last token of this namespace
-- KEYS[2…] the locks, in the order of preference: each holds its owner, and lives as long as the lease
-- ARGV[1]  the owner
-- ARGV[2]  the lease, in milliseconds
-- answers  {which, token}, or nil where others hold them all
--
-- The token is one more than the last, and at least the server's time in µs: it grows even if Redis lost its memory.
for which = 2, #KEYS do
  local holder = redis.call('GET', KEYS[which])
  if not holder or holder == ARGV[1] then
    local token = redis.call('INCR', KEYS[1])
    local now = redis.call('TIME')
    local micros = tonumber(now[1]) * 1000000 + tonumber(now[2])
    if token < micros then
      token = micros
      redis.call('SET', KEYS[1], string.format('%.0f', token))
    end
    if holder then
      redis.call('PEXPIRE', KEYS[which], ARGV[2])
    else
      redis.call('SET', KEYS[which], ARGV[1], 'NX', 'PX', ARGV[2])
    end
    return { which - 1, token }
  end
end
return nil
