-- with: base lanes leases history graph entries
-- One step of planning: the moments with their runs, the ranges, and the cursor.
--
-- KEYS[1] is the schedule's bucket, the last of KEYS the one whose epoch is compared; the others are those of the runs.
-- Tape: schedule, epoch, version, cursor and plan_at as they were seen, new cursor, ordinal, plan_at (instants and
--   ordinal as 8 bytes), moments: moment, entry; ranges: moment, row, moment and row of what remains where that moment
--   has a run, or '' (lists with their length).
-- Touches P:epoch, P:schedules, P:plan_at, P:tt*, P:run, P:of, P:lane*, P:slice*, P:gate*.
-- Answers 'stale' and the epoch that stands, 'passed', or 'planned'.

if refuses(WRITES) then
  return phase_reply()
end
local PLANNED_FATE = 0
local HOME, COMPARED = KEYS[1], KEYS[#KEYS]
local schedule, epoch, version = word(), number(), number()
local seen_cursor, seen_plan_at, to, ordinal, plan_at = word(), word(), word(), word(), word()

local stands = tonumber(call('GET', COMPARED .. ':epoch') or 0)
if epoch < stands then
  return { 'stale', stands }
end
if epoch > stands then
  call('SET', COMPARED .. ':epoch', epoch) -- the word of a new owner that has not been told here yet
end
local raw = call('HGET', HOME .. ':schedules', schedule)
if not raw then
  return { 'passed' }
end
local known_version, known_cursor, _, known_plan_at, paused, deleted, rest = read(PLANNED, raw)
local same = known_version == version and known_cursor == seen_cursor and known_plan_at == seen_plan_at
local count = number()
if deleted == 1 or not same or (paused == 1 and count > 0) then
  return { 'passed' }
end

for _ = 1, count do
  local moment, entry = word(), take_entry()
  P = KEYS[entry.bucket]
  local body, run_at = timed(entry)
  write_moment(HOME, schedule, version, moment, entry.id, body, run_at)
end

local function write_range(moment, row)
  call('HSET', HOME .. ':tt:' .. schedule, moment, row)
  call('ZADD', HOME .. ':tt_moments:' .. schedule, text((read('>I8', moment))), moment)
  call('ZADD', HOME .. ':tt_ranges:' .. schedule, text((read('>I8', row, 15))), moment)
  call('SADD', HOME .. ':tt_names', schedule)
end

for _ = 1, number() do
  local moment, row, next_moment, remains = word(), word(), word(), word()
  local known = call('HGET', HOME .. ':tt:' .. schedule, moment)
  local fate = known and byte(known, 1)
  if not known or fate == WITHDRAWN then
    write_range(moment, row)
  elseif fate == PLANNED_FATE and remains ~= '' then
    write_range(next_moment, remains)
  end
end

call('HSET', HOME .. ':schedules', schedule, pack('>I4', version) .. to .. ordinal .. plan_at .. string.char(paused, deleted) .. raw:sub(rest))
call('ZADD', HOME .. ':plan_at', text((read('>I8', plan_at))), schedule)
tell()
return { 'planned' }
