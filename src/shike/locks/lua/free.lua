-- Give a lock back if it is still the owner's: compare and delete in one step.
-- KEYS[1]  the lock
-- ARGV[1]  the owner
-- answers  1 if it was, else 0
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
