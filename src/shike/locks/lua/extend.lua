-- Begin the lease of a lock anew if it is still the owner's.
-- KEYS[1]  the lock
-- ARGV[1]  the owner
-- ARGV[2]  the lease, in milliseconds
-- answers  1 if it was, else 0
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
