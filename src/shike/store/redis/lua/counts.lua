-- with: base lanes leases
-- How much there is of what, now. Slices that come near are put into lanes on the way.
--
-- Touches P:slice*, P:lane*; reads P:run, P:lanes, P:lane*, P:sliced, P:gated, P:open, P:lease, P:fate, P:tally.
-- Answers {waiting, eligible, ahead, running}, {queue, live runs}…, {state, records}…

local waiting, eligible, ahead, running = 0, 0, 0, 0
local queues, states = {}, {}

local function count(words, key, by)
  words[key] = (words[key] or 0) + by
end

local function count_queues(ids)
  for _, body in ipairs(pick(P .. ':run', ids)) do
    if body then
      count(queues, queue_of(body), 1)
    end
  end
end

local function count_leased()
  for _, token in ipairs(call('ZRANGE', P .. ':open', 0, -1)) do
    local lease, ids = load_lease(token), {}
    for place = 1, lease.count do
      if lease.fates[place] == OPEN then
        ids[#ids + 1] = id_at(lease, place)
      end
    end
    running = running + #ids
    count_queues(ids)
  end
end

local function count_lanes()
  local lanes = call('HGETALL', P .. ':lanes')
  for place = 1, #lanes, 2 do
    for flag = 0, 15 do
      if bit.band(tonumber(lanes[place + 1]), bit.lshift(1, flag)) ~= 0 then
        local lane = lane_key(lanes[place], math.floor(flag / 8), flag % 8)
        local ready, all = call('ZCOUNT', lane, '-inf', NOW), call('ZCARD', lane)
        eligible, ahead = eligible + ready, ahead + all - ready
        count(queues, lanes[place], all)
      end
    end
  end
  local sliced = call('HGETALL', P .. ':sliced')
  for place = 1, #sliced, 2 do
    ahead = ahead + tonumber(sliced[place + 1])
    count(queues, sliced[place], tonumber(sliced[place + 1]))
  end
end

for_each_bucket(function()
  promote()
  waiting = waiting + call('ZCARD', P .. ':gated')
  count_queues(call('ZRANGE', P .. ':gated', 0, -1))
  count_leased()
  count_lanes()
  local tally = call('HGETALL', P .. ':tally')
  for place = 1, #tally, 2 do
    count(states, tally[place], tonumber(tally[place + 1]))
  end
end)

local function pairs_of(words)
  local list = {}
  for key, value in pairs(words) do
    list[#list + 1] = { key, value }
  end
  return list
end

return { { waiting, eligible, ahead, running }, pairs_of(queues), pairs_of(states) }
