-- with: base lanes leases history
-- Drop what has been kept long enough, in one bucket, at most so many rows in all.
--
-- KEYS[1] is the bucket. Tape: most rows, then instants before which to drop: receipts, records, dead letters (and rows
--   of the timetable with versions of schedules).
-- Touches P:receipts, P:lease, P:fate, P:kept, P:keys, P:key_ends, P:over*, P:archived, P:dead*, P:replayed, P:att, P:tally, P:tt*,
--   P:versions*, P:lanes.
-- Answers how many went of: receipts, keys, records, dead letters, rows of the timetable, versions.

if refuses(DROPS) then
  return phase_reply()
end
local left, receipts_before, over_before, dead_before = number(), number(), number(), number()
local STRAY = 2048 -- names of queues whose lanes are looked at

local function before(instant)
  return '(' .. text(instant)
end

local function receipts()
  local old = call('ZRANGE', P .. ':receipts', '-inf', before(receipts_before), 'BYSCORE', 'LIMIT', 0, left)
  for _, token in ipairs(old) do
    drop_receipt(token)
  end
  return #old
end

local function keys()
  local old = call('ZRANGE', P .. ':key_ends', '-inf', NOW, 'BYSCORE', 'LIMIT', 0, left)
  for _, key in ipairs(old) do
    call('HDEL', P .. ':keys', key)
    call('ZREM', P .. ':key_ends', key)
  end
  return #old
end

local function dead_letters()
  local old = call('ZRANGE', P .. ':dead_at', '-inf', before(dead_before), 'BYSCORE', 'LIMIT', 0, left)
  for _, id in ipairs(old) do
    drop_dead(id, call('HGET', P .. ':dead', id))
  end
  return #old
end

local function rows_of(name, most)
  local rows, moments = P .. ':tt:' .. name, P .. ':tt_moments:' .. name
  local count = 0
  for _, moment in ipairs(call('ZRANGE', moments, '-inf', before(dead_before), 'BYSCORE', 'LIMIT', 0, most)) do
    local row = call('HGET', rows, moment)
    if row and read('>I8', row, 15) < dead_before then
      call('HDEL', rows, moment)
      call('ZREM', moments, moment)
      call('ZREM', P .. ':tt_ranges:' .. name, moment)
      count = count + 1
    end
  end
  if call('EXISTS', moments) == 0 then
    call('SREM', P .. ':tt_names', name)
  end
  return count
end

local function timetable()
  local count = 0
  for _, name in ipairs(call('SMEMBERS', P .. ':tt_names')) do
    if count < left then
      count = count + rows_of(name, left - count)
    end
  end
  return count
end

-- Versions that were replaced so long ago: those before the last one that was made before the instant.
local function versions()
  local count = 0
  for _, name in ipairs(call('SMEMBERS', P .. ':version_names')) do
    local key, replaced = P .. ':versions:' .. name, 0
    for place, version in ipairs(call('LRANGE', key, 0, left - count)) do
      if read('>d', version) < dead_before then
        replaced = place - 1
      end
    end
    replaced = math.min(replaced, left - count)
    if replaced > 0 then
      call('LPOP', key, replaced)
      count = count + replaced
    end
  end
  return count
end

local function tidy_lanes()
  local lanes = call('HGETALL', P .. ':lanes')
  for place = 1, math.min(#lanes, STRAY), 2 do
    local any = false
    for flag = 0, 15 do
      any = any or call('EXISTS', P .. ':lane:' .. math.floor(flag / 8) .. flag % 8 .. ':' .. lanes[place]) == 1
    end
    if not any and call('HGET', P .. ':sliced', lanes[place]) ~= '0' then
      call('HDEL', P .. ':lanes', lanes[place])
    end
  end
end

local counts = {}
for place, drop in ipairs({ receipts, keys, function() return drop_over(over_before, left, 0) end, dead_letters, timetable, versions }) do
  counts[place] = left > 0 and drop() or 0
  left = left - counts[place]
end
tidy_lanes()
return counts
