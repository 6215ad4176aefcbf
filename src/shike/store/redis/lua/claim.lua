-- with: base lanes leases
-- Lease eligible runs of the buckets, in the order in which KEYS names them: one lease a bucket, one claim number.
--
-- Tape: session, claim number, until when the session lives as far as its store knows, most runs in all,
--   how suspects may be granted (`Manner`), most of them, bands…, tasks…, tags: tag, tasks…; wants: queue, count, backlog
--   (each list with its length).
-- Touches P:closed, P:num, P:paused, P:lanes, P:lane*, P:run, P:chg, P:lease, P:fate, P:open, P:held, P:kept, P:token,
--   P:slice*.
-- What stands in slices is no `next_at`: it is more than a slice ahead.
-- Answers 'closed' and why, 'over', or 'granted', now, more, next_at, manner and, a bucket each: token, ids, bodies, their
--   run_at (doubles in one
--   word), and what changed about them.

local LOOKED_AT_MAX = 10000 -- runs of other tasks that one claim looks past, in each lane
local PAGE = 500
local BACKLOG = 7

local function words(read_word)
  local list = {}
  for place = 1, number() do
    list[place] = read_word()
  end
  return list
end

local session, claim, lives_until, most = word(), number(), number(), number()
local suspects, suspects_max, bands, tasks = number(), number(), words(number), {}
local TOGETHER = 1
for _, task in ipairs(words(word)) do
  tasks[task] = true
end
local tags = {}
for place = 1, number() do
  tags[place] = { tag = word(), tasks = words(word) }
end
local wants = {}
for place = 1, number() do
  wants[place] = { queue = word(), count = number(), backlog = number() }
end

local closed, last = nil, 0
for_each_bucket(function()
  closed = closed or call('HGET', P .. ':closed', session)
  last = math.max(last, tonumber(call('HGET', P .. ':num', session) or 0))
end)
if closed then
  return { 'closed', closed }
end
if lives_until < now then
  return { 'over' }
end

-- ---------------------------------------------------------------- a repeat: what is still open of that batch

local function batch(token, ids, bodies, ats)
  local changes, any = pick(P .. ':chg', ids), false
  for _, raw in ipairs(changes) do
    any = any or raw
  end
  return { token_number(token), table.concat(ids), bodies, table.concat(ats), any and changes or {} }
end

if claim <= last then
  local batches, manner = {}, 0
  for_each_bucket(function()
    for _, token in ipairs(call('ZRANGE', P .. ':held:' .. session, claim, claim, 'BYSCORE')) do
      local lease, ids, ats = load_lease(token), {}, {}
      for place = 1, lease.count do
        if lease.fates[place] == OPEN then
          ids[#ids + 1] = id_at(lease, place)
          ats[#ats + 1] = lease.ats:sub(8 * place - 7, 8 * place)
        end
      end
      manner = lease.manner
      batches[#batches + 1] = batch(token, ids, pick(P .. ':run', ids), ats)
    end
  end)
  return { 'granted', now, 0, 0, manner, batches }
end

if refuses(CLAIMS) then
  return phase_reply()
end

-- ---------------------------------------------------------------- what may be looked at

local paused_keys, any_key = {}, false -- of other pauses than those of queues; every bucket says the same of them
if call('EXISTS', P .. ':paused') == 1 then
  for _, name in ipairs(call('SMEMBERS', P .. ':paused')) do
    local kind, rest = name:match('^:(%l+)/(.*)$')
    if kind == 'task' then
      tasks[rest] = nil
    elseif kind == 'key' then
      paused_keys[rest], any_key = true, true
    end
  end
  for _, one in ipairs(tags) do
    if call('SISMEMBER', P .. ':paused', ':tag/' .. one.tag) == 1 then
      for _, task in ipairs(one.tasks) do
        tasks[task] = nil
      end
    end
  end
end

-- Whether a run may go out: of a task that is asked for, and not of a paused key.
local function is_wanted(body)
  return tasks[task_of(body)] and not (any_key and paused_keys[key_of(body)])
end

if SLICE > 0 then
  for_each_bucket(promote)
end

-- The lanes of a queue that may hold something, in the order in which they are served.
local function lanes_of(queue)
  local masks, any, list = {}, 0, {}
  for_each_bucket(function(tag)
    if call('SISMEMBER', P .. ':paused', base_of(queue)) == 0 then
      masks[tag] = tonumber(call('HGET', P .. ':lanes', queue) or 0)
      any = bit.bor(any, masks[tag])
    end
  end)
  for flags = any > 255 and 1 or 0, 0, -1 do -- suspects stand in lanes of their own
    for _, band in ipairs(bands) do
      local flag = 2 ^ (8 * flags + band)
      for _, tag in ipairs(bit.band(any, flag) > 0 and KEYS or {}) do
        if masks[tag] and bit.band(masks[tag], flag) > 0 then
          P = tag
          list[#list + 1] = { key = lane_key(queue, flags, band), suspect = flags, band = band, tag = tag }
        end
      end
    end
  end
  P = KEYS[1]
  return list
end

for _, want in ipairs(wants) do
  want.lanes = want.count > 0 and lanes_of(want.queue) or {}
end

local function each_lane(want, suspect, work)
  for _, lane in ipairs(want.lanes) do
    if lane.suspect == suspect then
      P = lane.tag
      work(lane)
    end
  end
  P = KEYS[1]
end

local function share(want, band)
  return band == BACKLOG and math.min(want.backlog, want.count) or want.count
end

-- ---------------------------------------------------------------- taking out of lanes

local taken, exhausted = {}, {} -- tag → what was taken; lanes in which nothing of ours is left

local packed, packed_as = nil, nil -- most of what is due stands beside others of the same instant
local function note(tag, id, at, body)
  if at ~= packed then
    packed, packed_as = at, pack('>d', tonumber(at))
  end
  local part = taken[tag]
  if not part then
    part = { count = 0, ids = {}, bodies = {}, ats = {} }
    taken[tag] = part
  end
  local place = part.count + 1
  part.count, part.ids[place], part.bodies[place], part.ats[place] = place, id, body, packed_as
end

-- The next `size` entries of a lane, behind `from` of them; those that fit go to `fits`. How many there were.
local function take_page(lane, from, size, room, fits)
  local page = call('ZRANGE', lane.key, '-inf', NOW, 'BYSCORE', 'LIMIT', from, size, 'WITHSCORES')
  local ids, count = {}, #page / 2
  for place = 1, count do
    ids[place] = page[2 * place - 1]
  end
  local bodies, fit = pick(P .. ':run', ids), #fits
  for place, id in ipairs(ids) do
    local body = bodies[place]
    if fit < room and body and is_wanted(body) then
      fit = fit + 1
      fits[fit] = id
      note(lane.tag, id, page[2 * place], body)
    end
  end
  return count
end

local function take_from(lane, room)
  local fits, looked_at, size = {}, 0, room
  while #fits < room and looked_at < LOOKED_AT_MAX do
    local count = take_page(lane, looked_at, size, room, fits)
    looked_at = looked_at + count
    if count < size then
      exhausted[lane.key] = #fits < room or looked_at == count
      break
    end
    size = math.max(room, PAGE)
  end
  if #fits == looked_at and looked_at > 0 then
    call('ZREMRANGEBYRANK', lane.key, 0, looked_at - 1)
  else
    variadic('ZREM', lane.key, fits)
  end
  return #fits
end

-- As many suspects as may go out at once, in the lane's order, up to the first that wants less company.
local function take_suspects(lane, room)
  local page = call('ZRANGE', lane.key, '-inf', NOW, 'BYSCORE', 'LIMIT', 0, LOOKED_AT_MAX, 'WITHSCORES')
  local taken_ids, tightest = {}, math.huge
  for at = 1, #page, 2 do
    local id = page[at]
    local body = call('HGET', P .. ':run', id)
    if body and is_wanted(body) then
      tightest = math.min(tightest, change_of(id, body).together)
      if #taken_ids == room or (suspects == TOGETHER and #taken_ids + 1 > tightest) then
        break
      end
      taken_ids[#taken_ids + 1] = id
      note(lane.tag, id, page[at + 1], body)
    end
  end
  variadic('ZREM', lane.key, taken_ids)
  return #taken_ids
end

local manner = 0
if suspects > 0 then
  for _, want in ipairs(wants) do
    each_lane(want, 1, function(lane)
      local room = math.min(share(want, lane.band), suspects_max)
      if manner == 0 and room > 0 and take_suspects(lane, room) > 0 then
        manner = suspects
      end
    end)
  end
end

local left = most
if manner == 0 then
  for _, want in ipairs(wants) do
    local room = math.min(want.count, left)
    each_lane(want, 0, function(lane)
      local part = math.min(room, share(want, lane.band))
      if part > 0 then
        local count = take_from(lane, part)
        room, left = room - count, left - count
      end
    end)
  end
end

-- ---------------------------------------------------------------- granting

-- It grows with every claim here, tells the bucket, and is never given twice: also after a server lost its last
-- seconds, as long as its clock goes on.
local function next_token(tag)
  local count = math.max(tonumber(call('GET', P .. ':token') or 0) + 1, math.floor(now / 1000))
  call('SET', P .. ':token', text(count))
  return pack('>I8', count * BUCKETS + tonumber(tag:match('(%d+)}$')))
end

local batches = {}
for_each_bucket(function(tag)
  local granted = taken[tag]
  if not granted then
    return
  end
  local token, granted_batch = next_token(tag), nil
  granted_batch = batch(token, granted.ids, granted.bodies, granted.ats)
  local head = pack(LEASE, claim, now, granted.count, manner, #session)
  call('HSET', P .. ':lease', token, head .. session .. granted_batch[2] .. granted_batch[4])
  call('HSET', P .. ':fate', token, string.rep('0', granted.count))
  call('ZADD', P .. ':open', token_number(token), token)
  call('ZADD', P .. ':held:' .. session, claim, token)
  call('HINCRBY', P .. ':kept', session, 1)
  call('HSET', P .. ':num', session, claim)
  batches[#batches + 1] = granted_batch
end)

-- ---------------------------------------------------------------- what else there is

-- Whether something of ours is due in a lane whose first entry is due.
local function has_more(lane, first)
  if exhausted[lane.key] then
    return false
  end
  local ids, from = { first }, 0
  repeat
    for _, body in ipairs(pick(P .. ':run', ids)) do
      if body and is_wanted(body) then
        return true
      end
    end
    if #ids < PAGE and from > 0 then
      return false
    end
    ids = call('ZRANGE', lane.key, '-inf', NOW, 'BYSCORE', 'LIMIT', from, PAGE)
    from = from + PAGE
  until from > LOOKED_AT_MAX
  return false
end

local more, next_at = false, 0
for _, want in ipairs(wants) do
  for _, lane in ipairs(more and {} or want.lanes) do
    P = lane.tag
    local first = call('ZRANGE', lane.key, 0, 0, 'WITHSCORES')
    if first[2] and tonumber(first[2]) <= now then
      more = more or ((lane.suspect == 0 or suspects > 0) and has_more(lane, first[1]))
      first = more and {} or call('ZRANGE', lane.key, '(' .. NOW, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    end
    local at = tonumber(first[2] or 0)
    if at > 0 and (next_at == 0 or at < next_at) then
      next_at = at
    end
  end
end
return { 'granted', now, more and 1 or 0, more and 0 or next_at, manner, batches }
