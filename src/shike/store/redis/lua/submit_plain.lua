-- with: base lanes
-- Store new runs of the usual kind: nothing to check but that they are new, nothing that comes with them, eligible when
-- they are due. All of them, or none where one is known.
--
-- Tape: for each of KEYS: runs (with their number), each id, kind (the first 3 bytes of its body, and its queue), body from
--   the task on, when: '' for now, or '>ddd': run_at or 0 for now, delay in µs or -1, created_at or 0 for now.
-- Touches P:run, P:lane*, P:slice*; reads P:over, P:dead.
-- Answers now, or 0: one of them is known.

if refuses(WRITES) then
  return phase_reply()
end
local WORDS = 4
local runs = {} -- tag → how many, and where on the tape they begin

local function is_known(ids)
  for _, name in ipairs({ ':run', ':over', ':dead' }) do
    for _, found in ipairs(pick(P .. name, ids)) do
      if found then
        return true
      end
    end
  end
  return false
end

local any = false
for_each_bucket(function(tag)
  local count, ids = number(), {}
  runs[tag] = { count = count, at = cursor }
  for place = 1, count do
    ids[place] = ARGV[cursor + 1]
    cursor = cursor + WORDS
  end
  any = any or is_known(ids)
end)
if any then
  return 0
end

local NOW_TIMES = pack('>I8I8', now, now)

local function times_of(when)
  local run_at, delay, created_at = read('>ddd', when)
  if delay >= 0 then
    run_at = now + delay
  elseif run_at == 0 then
    run_at = now
  end
  return run_at, pack('>I8I8', run_at, created_at > 0 and created_at or now)
end

local function new_lane(kind)
  local queue = kind:sub(4)
  return { head = kind:sub(1, 3), queue = queue, band = byte(kind, 3), words = {}, count = 0, score = '', run_at = nil }
end

-- Its place in a lane, or far ahead in a slice.
local function stand(lane, id, run_at)
  if is_far(run_at) then
    into_slice(id, lane.queue, run_at)
  else
    if run_at ~= lane.run_at then
      lane.run_at, lane.score = run_at, text(run_at)
    end
    lane.words[lane.count + 1], lane.words[lane.count + 2] = lane.score, id
    lane.count = lane.count + 2
  end
  if run_at ~= lane.told then
    lane.told = run_at
    hint_once(DUE, lane.queue, '', run_at)
  end
end

local function store(part)
  local bodies, lanes, at = {}, {}, part.at
  for place = 1, part.count do
    local id, kind, rest, when = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    at = at + WORDS
    local lane = lanes[kind]
    if not lane then
      lane = new_lane(kind)
      lanes[kind] = lane
    end
    local run_at, times = now, NOW_TIMES
    if when ~= '' then
      run_at, times = times_of(when)
    end
    bodies[2 * place - 1], bodies[2 * place] = id, lane.head .. times .. rest
    stand(lane, id, run_at)
  end
  variadic('HSET', P .. ':run', bodies)
  for _, lane in pairs(lanes) do
    if lane.count > 0 then
      mark_lane(lane.queue, 0, lane.band)
      variadic('ZADD', lane_key(lane.queue, 0, lane.band), lane.words)
    end
  end
end

for_each_bucket(function(tag)
  store(runs[tag])
end)
tell()
return now
