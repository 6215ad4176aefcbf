-- with: base lanes leases
-- Close a session for ever, and mark each bucket, so that it is granted and settles nothing more there.
--
-- Tape: whether KEYS[1] is the home bucket ('1'; else the marks alone), session, the beat that was seen or '' for the
--   session's own good-bye, reason, whether its process is known to be dead ('1'), to live ('1'), whether KEYS are all
--   buckets ('1').
-- Touches P:session:ID, P:beating, P:left (zset closed sessions that may hold something, by number), P:closed (hash
--   session → reason).
-- Answers 'unknown', 'open' (it was not closed), or 'closed', why it was, and how many runs it holds in these buckets.

if refuses(BEATS) then
  return phase_reply()
end
local at_home, session, seen, reason = word() == '1', word(), word(), word()
local is_gone, is_alive, is_all = word() == '1', word() == '1', word() == '1'

local function is_over(expires_at, lease_seconds) -- `shike.store.expiry`
  if expires_at == 0 then
    return false
  end
  local lease = math.floor(lease_seconds * 1000000 + 0.5)
  return expires_at < now or (lease > 0 and expires_at > now + lease)
end

if at_home then
  local key = P .. ':session:' .. session
  local state, why, last, expires_at, lease = unpack(call('HMGET', key, 'state', 'reason', 'beat', 'expires_at', 'lease_seconds'))
  if not state then
    return { 'unknown' }
  end
  if state == 'open' then
    if seen ~= '' and not (last == seen and (is_gone or is_over(tonumber(expires_at), tonumber(lease)))) then
      return { 'open' }
    end
    local died = seen ~= '' and not is_alive
    call('HSET', key, 'state', 'closed', 'reason', reason, 'closed_at', NOW, 'died', died and 1 or 0, 'held', '')
    call('ZADD', P .. ':left', call('HGET', key, 'number'), session)
    call('ZREM', P .. ':beating', session)
  else
    reason = why
  end
end
local held = 0
for_each_bucket(function()
  call('HSETNX', P .. ':closed', session, reason)
  for _, token in ipairs(call('ZRANGE', P .. ':held:' .. session, 0, -1)) do
    held = held + load_lease(token).left
  end
end)
if at_home and is_all then
  local key = KEYS[1] .. ':session:' .. session
  if call('HGET', key, 'held') == '' then
    call('HSET', key, 'held', held)
  end
end
return { 'closed', reason, held }
