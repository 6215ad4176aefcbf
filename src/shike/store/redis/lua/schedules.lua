-- with: base
-- Schedules of buckets. Tape: 'all', or 'ripe', until, most: those that the planner has to look at by then.
-- Reads P:schedules, P:plan_at. Answers their records.

local what, ends_at, most = word(), word(), word()
local found = {}
for_each_bucket(function()
  local names = what == 'ripe' and call('ZRANGE', P .. ':plan_at', '-inf', ends_at, 'BYSCORE', 'LIMIT', 0, most)
  local records = names and pick(P .. ':schedules', names) or call('HVALS', P .. ':schedules')
  for _, record in ipairs(records) do
    if record then
      found[#found + 1] = record
    end
  end
end)
return found
