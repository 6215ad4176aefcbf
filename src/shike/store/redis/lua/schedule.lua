-- with: base lanes leases history
-- Write a schedule as it was decided to be, if nobody changed it or what is to be withdrawn since that was read.
--
-- KEYS[1] is the schedule's bucket, the others those of its runs. Tape: name, the record that was read or '', the new one, plan_at or '' where it is
--   not planned any more, versions to write ('' for none): the last one as it ends, and a new one; ids to withdraw…, each with
--   its bucket's place in KEYS
-- Touches P:schedules, P:plan_at, P:versions:NAME, P:version_names, P:of:NAME, P:run, P:chg, P:att, P:lane*, P:slice*,
--   P:gate*, P:holders, P:tt.
-- Answers 'changed' or 'kept'.

if refuses(WRITES) then
  return phase_reply()
end
local name, expected, record, plan_at, last_version, new_version = word(), word(), word(), word(), word(), word()
local WITHDRAWN, HOME = 4, KEYS[1]

if (call('HGET', P .. ':schedules', name) or '') ~= expected then
  return 'changed'
end
local withdrawn = {}
for place = 1, number() do
  local id = word()
  P = KEYS[tonumber(word())]
  local body = call('HGET', P .. ':run', id)
  if not body then
    return 'changed'
  end
  local c, raw = change_of(id, body)
  local where = find(id, body, c, raw)
  if where == LEASED then
    return 'changed'
  end
  withdrawn[place] = { tag = P, id = id, body = body, c = c, where = where }
end

for _, one in ipairs(withdrawn) do
  P = one.tag
  leave(one.id, one.body, one.c, one.where)
  forget(one.id, one.body, one.c)
  call('HDEL', P .. ':att', one.id)
  ended_ids[#ended_ids + 1] = one.id
  local _, _, at = schedule_of(one.body)
  local moment = one.body:sub(at, at + 7)
  local row = call('HGET', HOME .. ':tt:' .. name, moment)
  if row and row:sub(2, 9) == one.id then
    call('HSET', HOME .. ':tt:' .. name, moment, string.char(WITHDRAWN) .. row:sub(2))
  end
  flush_history(0)
end
P = HOME
call('HSET', P .. ':schedules', name, record)
if plan_at == '' then
  call('ZREM', P .. ':plan_at', name)
else
  call('ZADD', P .. ':plan_at', plan_at, name)
end
if last_version ~= '' then
  call('LSET', P .. ':versions:' .. name, -1, last_version)
end
if new_version ~= '' then
  call('RPUSH', P .. ':versions:' .. name, new_version)
  call('SADD', P .. ':version_names', name)
end
hint(SCHEDULE, '', name, 0, '')
tell()
return 'kept'
