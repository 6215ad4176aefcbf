-- with: base lanes leases
-- What stands in halls and in workers' own lanes, and is eligible. Slices that come near are put into lanes on the way.
--
-- Tape: 'lanes'; or 'standing', lane, most; or 'band', lane, band, after, most: without suspects.
-- Touches P:slice*, P:lane*; reads P:lanes, P:run, P:chg.
-- Answers {lane, how much, the earliest run_at}…; or of each bucket the first of the lane: {band, run_at, id}…; or {run_at, id}…

local what, wanted, most = word(), nil, nil
if what == 'standing' then
  wanted, most = word(), number()
end
local band, after = nil, nil
if what == 'band' then
  wanted, band, after, most = word(), number(), word(), number()
end
local found = {}

local function each_flag(mask, work)
  for flag = 0, 15 do
    if bit.band(mask, bit.lshift(1, flag)) ~= 0 then
      work(math.floor(flag / 8), flag % 8)
    end
  end
end

local function count_lane(name, mask)
  each_flag(mask, function(suspect, band)
    local key = lane_key(name, suspect, band)
    local count = call('ZCOUNT', key, '-inf', NOW)
    if count > 0 then
      found[#found + 1] = { name, count, tonumber(call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]) }
    end
  end)
end

local function first_of(name, mask)
  each_flag(mask, function(suspect, band)
    local page = call('ZRANGE', lane_key(name, suspect, band), '-inf', NOW, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
    for place = 1, #page, 2 do
      found[#found + 1] = { band, tonumber(page[place + 1]), page[place] }
    end
  end)
end

local function from_band()
  local page = call('ZRANGE', lane_key(wanted, 0, band), '(' .. after, NOW, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for place = 1, #page, 2 do
    found[#found + 1] = { tonumber(page[place + 1]), page[place] }
  end
end

for_each_bucket(function()
  promote()
  if band then
    from_band()
  elseif wanted then
    first_of(wanted, tonumber(call('HGET', P .. ':lanes', wanted) or 0))
  else
    local lanes = call('HGETALL', P .. ':lanes')
    for place = 1, #lanes, 2 do
      if lanes[place]:find('>', 1, true) then
        count_lane(lanes[place], tonumber(lanes[place + 1]))
      end
    end
  end
end)
return found
