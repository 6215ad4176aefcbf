-- with: base
-- What is over goes to the archive, the oldest first. KEYS[1] is the bucket; for 'begin' and 'end' KEYS are buckets.
--
-- Tape: 'begin': from here on nothing leaves the history that is not in the archive; 'end': there is none any more; 'read', most: what is next; 'done', id, count: that so many from this one on are there; nothing is noted where another one is next by now.
--   'look': how far it is; 'name', text: this is what the archive calls itself, if none was named before.
-- Touches P:archived, P:unarchived, P:archive; reads P:over_order, P:over, P:att.
-- Answers 'read': ids, records, attempts written of each; 'done': how many were noted; 'look': how many are not there
--   yet, when the first of them ended or 0, how many never got there; 'name': which archive it is.

local step = word()
if step == 'begin' or step == 'end' then
  for_each_bucket(function()
    if step == 'begin' then
      call('SETNX', P .. ':archived', 0)
    else
      call('DEL', P .. ':archived', P .. ':unarchived', P .. ':archive')
    end
  end)
  return 0
end
if step == 'name' then
  call('SETNX', P .. ':archive', word())
  return call('GET', P .. ':archive')
end
if step == 'read' and refuses(DROPS) then
  return phase_reply()
end
local archived = tonumber(call('GET', P .. ':archived') or 0)

if step == 'done' then
  local first, count = word(), number()
  if call('LINDEX', P .. ':over_order', archived) ~= first then
    return 0
  end
  call('INCRBY', P .. ':archived', count)
  return count
end

if step == 'look' then
  local first = call('LINDEX', P .. ':over_order', archived)
  local record = first and call('HGET', P .. ':over', first)
  local left = call('LLEN', P .. ':over_order') - archived
  return { left, record and text(read('>d', record)) or '0', tonumber(call('GET', P .. ':unarchived') or 0) }
end

local ids = call('LRANGE', P .. ':over_order', archived, archived + number() - 1)
return { ids, pick(P .. ':over', ids), pick(P .. ':att', ids) }
