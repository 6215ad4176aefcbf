-- with: base lanes leases history graph entries
-- Renew all that a session holds; take back what it does not know it holds; say what should stop and which queues have
-- work. At the home bucket first; a bucket that cannot be reached from there is told in a call of its own.
--
-- Tape: whether KEYS[1] is the home bucket ('1'), whether this beat is news to a bucket that is not, session, beat
--   number, lease in seconds, received claim, load, most records of the history to keep, tokens held…, reports: id,
--   token, bytes (lists with their length).
-- Touches P:session:ID, P:lanes, P:lane*, P:slice*, P:paused, P:held, P:lease, P:fate, P:open, P:receipts, P:kept,
--   P:asked, P:run, P:chg, and the history.
-- Answers 'closed' and why, or 'open', now, expires_at, whether it was news, {id, token}… to stop, queues with work.

if refuses(BEATS) then
  return phase_reply()
end
local at_home, is_news = word() == '1', word() == '1'
local session, beat, lease_seconds, received, load, bound = word(), number(), word(), number(), word(), number()
local holds, reports = {}, {}
for _ = 1, number() do
  holds[word()] = true
end
for place = 1, number() do
  reports[place] = { id = word(), token = word(), bytes = word() }
end

local expires_at = 0
if at_home then
  local key = P .. ':session:' .. session
  local state, last, expiry, reason = unpack(call('HMGET', key, 'state', 'beat', 'expires_at', 'reason'))
  if state ~= 'open' then
    return { 'closed', reason or '' }
  end
  expires_at, is_news = tonumber(expiry), beat > tonumber(last)
  if is_news then
    local seconds = tonumber(lease_seconds)
    expires_at = seconds > 0 and now + math.floor(seconds * 1000000 + 0.5) or 0
    call('HSET', key, 'beat', beat, 'expires_at', text(expires_at), 'load', load, 'lease_seconds', lease_seconds)
  end
end

-- The reply to this claim never arrived: nothing of it has begun.
local function release(lease)
  for place = 1, lease.count do
    if lease.fates[place] == OPEN then
      local id = id_at(lease, place)
      local body = call('HGET', P .. ':run', id)
      local c = change_of(id, body)
      close_place(lease, place, TAKEN)
      if c.cancel ~= '' then
        finish(id, body, c, CANCELLED, c.attempts, tail_of(0, '', c.cancel, '', ''))
        free_children()
      else
        c.state, c.version, c.progress = SCHEDULED, c.version + 1, ''
        enter(id, body, c, read('>d', lease.ats, 8 * place - 7))
        keep_change(id, c)
      end
    end
  end
  save_lease(lease)
end

local function note_report(report)
  local lease = load_lease(report.token)
  local place = lease and lease.session == session and place_in(lease, report.id)
  if place and lease.fates[place] == OPEN then
    local c = change_of(report.id, call('HGET', P .. ':run', report.id))
    c.progress = report.bytes
    keep_change(report.id, c)
  end
end

local function take_in()
  for _, token in ipairs(call('ZRANGE', P .. ':held:' .. session, '-inf', received, 'BYSCORE')) do
    if not holds[token] then
      release(load_lease(token))
    end
  end
  for _, report in ipairs(reports) do
    note_report(report)
  end
  flush_history(bound)
end

local stops, queues = {}, {}

local function look_for_stops()
  local asked = call('HGETALL', P .. ':asked')
  for place = 1, #asked, 2 do
    if asked[place + 1]:sub(9) == session then
      stops[#stops + 1] = { asked[place], token_number(asked[place + 1]) }
    end
  end
end

local function has_work(queue, mask)
  for flag = 0, 15 do
    if bit.band(mask, bit.lshift(1, flag)) ~= 0 then
      local first = call('ZRANGE', lane_key(queue, math.floor(flag / 8), flag % 8), 0, 0, 'WITHSCORES')
      if first[2] and tonumber(first[2]) <= now then
        return true
      end
    end
  end
  return false
end

local function look_for_work()
  local lanes = call('HGETALL', P .. ':lanes')
  for place = 1, #lanes, 2 do
    local queue, mask = lanes[place], tonumber(lanes[place + 1])
    if has_work(queue, mask) and call('SISMEMBER', P .. ':paused', base_of(queue)) == 0 then
      queues[#queues + 1] = queue
    end
  end
end

for_each_bucket(function()
  if is_news then
    take_in()
  end
  promote()
  look_for_stops()
  look_for_work()
end)
tell()
return { 'open', now, expires_at, is_news and 1 or 0, stops, queues }
