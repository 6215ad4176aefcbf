-- with: base
-- Who holds a permit, and the first who wait for it. KEYS: buckets. Tape: its key, how many. Reads P:holders:KEY, P:gate:KEY, P:chg.
-- Answers ids of holders, {run_at, id, version} of those who wait.

local key, most = word(), number()
local holders, waiters = {}, {}
for_each_bucket(function()
  for _, id in ipairs(call('ZRANGE', P .. ':holders:' .. key, 0, -1)) do
    holders[#holders + 1] = id
  end
  local page = most > 0 and call('ZRANGE', P .. ':gate:' .. key, 0, most - 1, 'WITHSCORES') or {}
  for place = 1, #page, 2 do
    local raw = call('HGET', P .. ':chg', page[place])
    waiters[#waiters + 1] = { tonumber(page[place + 1]), page[place], raw and unpack_change(raw).version or 1 }
  end
end)
return { holders, waiters }
