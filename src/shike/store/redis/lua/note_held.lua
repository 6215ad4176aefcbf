-- with: base
-- How many runs a session held in all buckets when it was closed; the first count stands. KEYS[1] is the home bucket.
-- Tape: session, runs. Touches P:session:ID.

local key, held = P .. ':session:' .. word(), number()
if call('HGET', key, 'held') == '' then
  call('HSET', key, 'held', held)
end
return 0
