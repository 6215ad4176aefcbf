-- with: base
-- The history in the order in which it ended, a piece of it. KEYS[1] is the bucket. Tape: how many were put in order
--   before, most of this piece. Touches P:loaded, P:over_order. Answers how many these are; 0: it is done.

local from, most = number(), number()
if from == 0 and call('EXISTS', P .. ':loaded') == 1 then
  call('DEL', P .. ':over_order')
end
local ids = call('ZRANGE', P .. ':loaded', from, from + most - 1)
variadic('RPUSH', P .. ':over_order', ids)
if #ids == 0 then
  call('UNLINK', P .. ':loaded')
end
return #ids
