-- with: base
-- Forget sessions that were last heard of before an instant and of which no bucket keeps anything.
--
-- Tape: step, then: 'list', instant, most: identities that might go (KEYS[1] is the home bucket); 'kept', identities…:
--   those of them of which a bucket keeps a lease or receipt; 'drop', whether KEYS[1] is the home bucket ('1'),
--   identities…: forget them.
-- Touches P:sessions, P:session:ID, P:kept, P:num, P:closed.
-- Answers identities, or how many went.

local LOOKED_AT_MAX = 10000 -- the oldest
local step = word()

local function words()
  local list = {}
  for place = 1, number() do
    list[place] = word()
  end
  return list
end

local function left_at(identity) -- when it was last heard of; who only submits does not beat and is never closed
  local key = P .. ':session:' .. identity
  local state, closed_at, expires_at, started_at = unpack(call('HMGET', key, 'state', 'closed_at', 'expires_at', 'started_at'))
  if expires_at == '0' then
    return tonumber(started_at)
  end
  return state == 'closed' and tonumber(closed_at) or math.huge
end

if step == 'list' then
  local before, most, found = number(), number(), {}
  for _, identity in ipairs(call('ZRANGE', P .. ':sessions', 0, LOOKED_AT_MAX)) do
    if #found < most and left_at(identity) < before then
      found[#found + 1] = identity
    end
  end
  return found
end

if step == 'kept' then
  local identities, found = words(), {}
  for_each_bucket(function()
    for _, identity in ipairs(identities) do
      if call('HEXISTS', P .. ':kept', identity) == 1 then
        found[#found + 1] = identity
      end
    end
  end)
  return found
end

local at_home = word() == '1'
for _, identity in ipairs(words()) do
  for_each_bucket(function()
    call('HDEL', P .. ':num', identity)
    call('HDEL', P .. ':closed', identity)
  end)
  if at_home then
    call('DEL', P .. ':session:' .. identity)
    call('ZREM', P .. ':sessions', identity)
    call('ZREM', P .. ':left', identity)
  end
end
return 0
