-- Where a run that is not over stands: before its gate, in a lane, in a slice, or in a lease.
--
-- P:run                    hash   id → body
-- P:lanes                  hash   queue → which of its lanes may hold something: bit 8 · suspect + band
-- P:lane:SB:QUEUE          zset   id by run_at; S = 1 for suspects, B = band
-- P:gated, P:gate:KEY      zset   id by run_at, of all gates and of one; P:gates set of those where somebody waits
-- P:slice:N                string id and run_at, 16 bytes each, of what is due in slice N, far ahead
-- P:slices, P:sliced       zset   N by its earliest run_at; hash queue → how many of its runs stand in slices
-- P:slice_read             hash   N → how far it has been put into lanes

local HERE, IN_LANE, AT_GATE, IN_SLICE, LEASED = 0, 1, 2, 3, 4
local PROMOTED_MAX = 2000 -- entries of slices that one script puts into lanes
local find_lease -- of `leases.lua`, which is not part of every script

local function lane_key(queue, suspect, band)
  return P .. ':lane:' .. suspect .. band .. ':' .. queue
end

local masks = {}
local function mark_lane(queue, suspect, band)
  local key = P .. '\0' .. queue
  local mask = masks[key] or tonumber(call('HGET', P .. ':lanes', queue) or 0)
  local with = bit.bor(mask, bit.lshift(1, 8 * suspect + band))
  if with ~= mask then
    call('HSET', P .. ':lanes', queue, with)
  end
  masks[key] = with
end

-- The lane that it stands in, or would: its queue's, or a worker's own.
local function stands_of(body, c)
  return c.state == ASSIGNED and base_of(queue_of(body)) .. '>' .. c.worker or queue_of(body)
end

local function slice_of(instant)
  return math.floor(instant / SLICE)
end

local function is_far(run_at)
  return SLICE > 0 and slice_of(run_at) > slice_of(now) + 1
end

local function into_slice(id, queue, run_at)
  local number = text(slice_of(run_at))
  call('APPEND', P .. ':slice:' .. number, id .. pack('>d', run_at))
  call('ZADD', P .. ':slices', 'LT', text(run_at), number)
  call('HINCRBY', P .. ':sliced', queue, 1)
end

-- Into the lane or slice that queue, band and history call for. `c` is changed, and is the caller's to keep.
local function enter(id, body, c, run_at)
  local queue = stands_of(body, c)
  if c.suspect == 0 and is_far(run_at) then
    into_slice(id, queue, run_at)
    c.run_at = run_at
  else
    mark_lane(queue, c.suspect, c.band)
    call('ZADD', lane_key(queue, c.suspect, c.band), text(run_at), id)
    c.run_at = 0
  end
  hint_once(DUE, queue, '', run_at)
end

-- Where it stands, since when or until when, and for a lease which: (place, run_at, lease, place in it).
local function find(id, body, c, raw)
  if has(body, GATED_FLAG) then
    local at = call('ZSCORE', P .. ':gated', id)
    if at then
      return AT_GATE, tonumber(at)
    end
  end
  if c.run_at > 0 then
    return IN_SLICE, c.run_at
  end
  local at = call('ZSCORE', lane_key(stands_of(body, c), c.suspect, c.band), id)
  if at then
    return IN_LANE, tonumber(at)
  end
  local lease, number = find_lease(id)
  if lease then
    return LEASED, read('>d', lease.ats, 8 * number - 7), lease, number
  end
  return IN_SLICE, due_of(body) -- never changed since it was put there
end

local function stand_at_gate(id, gate, run_at)
  call('ZADD', P .. ':gated', text(run_at), id)
  call('ZADD', P .. ':gate:' .. gate, text(run_at), id)
  call('SADD', P .. ':gates', gate)
  hint_once(GATED, '', gate, run_at)
end

local function leave(id, body, c, place)
  if place == AT_GATE then
    if byte(body, 1) >= TIED_FLAG then
      call('HDEL', P .. ':parents', id)
    end
    call('ZREM', P .. ':gated', id)
    local gate = gate_of(body)
    call('ZREM', P .. ':gate:' .. gate, id)
    if call('EXISTS', P .. ':gate:' .. gate) == 0 then
      call('SREM', P .. ':gates', gate)
    end
  elseif place == IN_LANE then
    call('ZREM', lane_key(stands_of(body, c), c.suspect, c.band), id)
  else
    call('HINCRBY', P .. ':sliced', stands_of(body, c), -1)
    c.run_at = 0 -- its entry in the slice is void from here on
  end
end

-- One piece of a slice into lanes; void entries are left out. How many entries were read, and whether that was all.
local function promote_piece(number, most)
  local key, from = P .. ':slice:' .. number, tonumber(call('HGET', P .. ':slice_read', number) or 0)
  local piece = call('GETRANGE', key, from, from + 16 * most - 1)
  local ids, entries = {}, {}
  for at = 1, #piece, 16 do
    ids[#ids + 1] = piece:sub(at, at + 7)
    entries[#entries + 1] = read('>d', piece, at + 8)
  end
  local bodies, changes, done = pick(P .. ':run', ids), pick(P .. ':chg', ids), {}
  for place, id in ipairs(ids) do
    local c = bodies[place] and (changes[place] and unpack_change(changes[place]) or unchanged(bodies[place]))
    if c and not done[id] and (c.run_at == entries[place] or not changes[place]) then
      done[id] = true -- it may stand here twice for one instant: it went to another lane, and to the same slice
      local queue = stands_of(bodies[place], c)
      mark_lane(queue, 0, c.band)
      call('ZADD', lane_key(queue, 0, c.band), text(entries[place]), id)
      call('HINCRBY', P .. ':sliced', queue, -1)
      if changes[place] then
        c.run_at = 0
        keep_change(id, c)
      end
    end
  end
  local is_done = from + #piece >= call('STRLEN', key)
  if is_done then
    call('DEL', key)
    call('ZREM', P .. ':slices', number)
    call('HDEL', P .. ':slice_read', number)
  else
    call('HSET', P .. ':slice_read', number, from + #piece)
  end
  return #ids, is_done
end

-- What comes near leaves its slice, at most PROMOTED_MAX entries of it.
local function promote()
  local left = PROMOTED_MAX
  while SLICE > 0 and left > 0 do
    local number = call('ZRANGE', P .. ':slices', 0, 0)[1]
    if not number or tonumber(number) > slice_of(now) + 1 then
      return
    end
    left = left - promote_piece(number, left)
  end
end
