-- with: base
-- Rows of a schedule that touch an interval. KEYS[1] is its bucket. Tape: name, start, end (not in it), most rows of one
-- answer. Reads P:tt:NAME, P:tt_moments:NAME, P:tt_ranges:NAME. Answers moments and rows, in order, and whether there
-- are more behind.

local name, start, stop, most = word(), word(), word(), number()
local moments = call('ZRANGE', P .. ':tt_moments:' .. name, start, '(' .. stop, 'BYSCORE', 'LIMIT', 0, most)
local more = #moments == most
for _, moment in ipairs(call('ZRANGE', P .. ':tt_ranges:' .. name, start, '+inf', 'BYSCORE')) do
  if read('>I8', moment) < tonumber(start) then
    moments[#moments + 1] = moment
  end
end
table.sort(moments)
return { moments, pick(P .. ':tt:' .. name, moments), more and 1 or 0 }
