-- with: base lanes leases
-- What is ahead: the distinct instants of each queue in a window, and who waits for a permit. Slices that come near are
-- put into lanes on the way.
--
-- Tape: what ('due' or 'gated'), after, until, most.
-- Touches P:slice*, P:lane*; reads P:lanes, P:gates, P:gate:KEY, P:gated, P:run, P:chg.
-- Answers what is eligible already, of which only the first of each lane or gate is told, and what is ahead: {run_at,
--   queue}… or {run_at, id, version, gate}…; and the earliest run_at that stands in a slice within the window, or 0.

local what, after, ends_at, most = word(), number(), number(), number()
local overdue, ahead, sliced = {}, {}, 0
local behind, until_now = '(' .. text(after), text(math.min(ends_at, now))
local from_now, last = '(' .. text(math.max(after, now)), text(ends_at)

local function first_of(key)
  return call('ZRANGE', key, behind, until_now, 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
end

-- Many runs of one instant cost no more than a few; many instants are read PAGE at a time.
local PAGE = 128

local function instants(lane, queue)
  local from, seen, known = from_now, 0, nil
  while seen < most do
    local page = call('ZRANGE', lane, from, last, 'BYSCORE', 'LIMIT', 0, PAGE, 'WITHSCORES')
    for place = 2, #page, 2 do
      if page[place] ~= known and seen < most then
        known, seen = page[place], seen + 1
        ahead[#ahead + 1] = { tonumber(known), queue }
      end
    end
    if #page < 2 * PAGE then
      return
    end
    from = '(' .. known
  end
end

local function look_at_lanes(queue, mask)
  for flag = 0, 15 do
    if bit.band(mask, bit.lshift(1, flag)) ~= 0 then
      local lane = lane_key(queue, math.floor(flag / 8), flag % 8)
      local first = first_of(lane)
      if first[2] then
        overdue[#overdue + 1] = { tonumber(first[2]), queue }
      end
      instants(lane, queue)
    end
  end
end

local function due()
  promote()
  local lanes = call('HGETALL', P .. ':lanes')
  for place = 1, #lanes, 2 do
    look_at_lanes(lanes[place], tonumber(lanes[place + 1]))
  end
  if SLICE > 0 then
    local first = call('ZRANGE', P .. ':slices', '-inf', last, 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    local at = tonumber(first[2] or 0)
    if at > 0 and (sliced == 0 or at < sliced) then
      sliced = math.max(at, after + 1)
    end
  end
end

local function waiting(id, run_at)
  local body = call('HGET', P .. ':run', id)
  return { tonumber(run_at), id, change_of(id, body).version, gate_of(body) }
end

local function gated()
  for _, gate in ipairs(call('SMEMBERS', P .. ':gates')) do
    local first = first_of(P .. ':gate:' .. gate)
    if first[2] then
      overdue[#overdue + 1] = waiting(first[1], first[2])
    end
  end
  local page = call('ZRANGE', P .. ':gated', from_now, last, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for place = 1, #page, 2 do
    ahead[#ahead + 1] = waiting(page[place], page[place + 1])
  end
end

for_each_bucket(what == 'due' and due or gated)
return { overdue, ahead, sliced }
