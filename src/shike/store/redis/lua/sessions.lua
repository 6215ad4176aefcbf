-- with: base
-- Sessions by number. KEYS[1] is the home bucket. Tape: which ('beating', 'left', 'sessions': the newest of all), most.
-- Reads P:sessions, P:beating, P:left, P:session:ID. Answers the fields of each.

local found = {}
for _, identity in ipairs(call('ZRANGE', P .. ':' .. word(), -number(), -1)) do
  found[#found + 1] = call('HGETALL', P .. ':session:' .. identity)
end
return found
