-- with: base
-- One page of the ids of a hash, in no order; some may come twice.
--
-- KEYS[1] is the bucket. Tape: key behind the tag, cursor, how many; of records that are over: from when, until when (not
--   in it) they ended, else ''. Answers the next cursor, and ids, 8 bytes each.

local key, at, most, start, stop = word(), word(), word(), word(), word()
local page, ids = call('HSCAN', P .. key, at, 'COUNT', most), {}
for place = 1, #page[2], 2 do
  local ended_at = start ~= '' and read('>d', page[2][place + 1])
  if not ended_at or (ended_at >= tonumber(start) and ended_at < tonumber(stop)) then
    ids[#ids + 1] = page[2][place]
  end
end
return { page[1], table.concat(ids) }
