-- with: base
-- Make the store, or read what it was made as.
--
-- KEYS[1] is the home bucket. Tape: format, virtual buckets, slice in µs, the row of the bucket that holds them all, a
--   life for a store that has none.
-- Touches P:format (hash), P:buckets. Answers format, virtual buckets, slice, life, and '1' once each bucket has heard
--   of that life.

local key = P .. ':format'
local format, buckets, slice, row, life = word(), word(), word(), word(), word()
if call('EXISTS', key) == 0 then
  call('HSET', key, 'format', format, 'virtual_buckets', buckets, 'slice_micros', slice, 'made_at', NOW)
  call('HSET', P .. ':buckets', 0, row)
end
if call('HEXISTS', key, 'format') == 1 then
  call('HSETNX', key, 'life', life)
end
return call('HMGET', key, 'format', 'virtual_buckets', 'slice_micros', 'life', 'is_made')
