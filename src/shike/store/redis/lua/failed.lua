-- with: base lanes leases
-- One page of what changed: how many failed runs rest until a run_at ahead. KEYS[1] is the bucket. Tape: cursor of the
-- page. Reads P:chg, P:run and where they stand. Answers the next cursor, and how many.

local page = call('HSCAN', P .. ':chg', word(), 'COUNT', 500)
local ids, changes = {}, {}
for place = 1, #page[2], 2 do
  if byte(page[2][place + 1], 1) == FAILED then
    ids[#ids + 1], changes[#changes + 1] = page[2][place], page[2][place + 1]
  end
end
local count = 0
for place, body in ipairs(pick(P .. ':run', ids)) do
  if body then
    local c = unpack_change(changes[place])
    local where, run_at = find(ids[place], body, c, changes[place])
    if where ~= LEASED and run_at > now then
      count = count + 1
    end
  end
end
return { page[1], count }
