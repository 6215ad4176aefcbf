-- with: base lanes leases
-- What an edit of a schedule has to know: its record, its last version, how many moments ahead have a row, and its runs
-- ahead that nobody has claimed.
--
-- KEYS[1] is the schedule's bucket, the others those of its runs. Tape: name. Touches nothing; reads P:schedules,
--   P:versions:NAME, P:tt:NAME, P:tt_moments:NAME, P:of:NAME and runs.
-- Answers now, record or nil, last version or nil, moments ahead, ids.

local name, HOME, WITHDRAWN = word(), KEYS[1], 4
local record = call('HGET', HOME .. ':schedules', name)

-- Rows between the instant to which planning steps back and its cursor, but for those withdrawn before.
local function moments_ahead()
  local planned_to, count = read('>I8', record, 5), 0
  local moments = HOME .. ':tt_moments:' .. name
  local from = '(' .. text(math.min(planned_to, now))
  for _, row in ipairs(pick(HOME .. ':tt:' .. name, call('ZRANGE', moments, from, text(planned_to), 'BYSCORE'))) do
    if row and byte(row, 1) ~= WITHDRAWN then
      count = count + read('>I8', row, 23)
    end
  end
  return count
end

local place_of = {}
for place, tag in ipairs(KEYS) do
  place_of[tonumber(tag:match('(%d+)}$'))] = place
end
local ids = {}
for _, id in ipairs(call('SMEMBERS', HOME .. ':of:' .. name)) do
  P = KEYS[place_of[byte(id, 8) % BUCKETS] or 1]
  local body = call('HGET', P .. ':run', id)
  local _, _, at = schedule_of(body or '\0')
  if body and read('>I8', body, at) > now then
    local c, raw = change_of(id, body)
    if find(id, body, c, raw) ~= LEASED then
      ids[#ids + 1] = id
    end
  end
end
table.sort(ids)
return { now, record, call('LINDEX', HOME .. ':versions:' .. name, -1), record and moments_ahead() or 0, ids }
