-- with: base
-- Write a division of buckets as it was decided, if nothing that the decision looked at has changed since.
--
-- Tape: whether KEYS[1] is the home bucket ('1'; else the epochs alone), sessions that were looked at: identity, state,
--   beat; old buckets: low, row; new buckets: low, high, row, epoch (lists with their length).
-- Touches P:session:ID, P:buckets (hash low → high and epoch ('>I4I8') and owner), P:epoch.
-- Answers 'changed' or 'divided'.

if refuses(WRITES) then
  return phase_reply()
end
local at_home = word() == '1'

for _ = 1, number() do
  local identity, state, beat = word(), word(), word()
  local known_state, known_beat = unpack(call('HMGET', P .. ':session:' .. identity, 'state', 'beat'))
  if at_home and ((known_state or '') ~= state or (known_beat or '') ~= beat) then
    return 'changed'
  end
end
local old = {}
for place = 1, number() do
  local low, row = word(), word()
  if at_home and call('HGET', P .. ':buckets', low) ~= row then
    return 'changed'
  end
  old[place] = low
end
if at_home then
  for _, low in ipairs(old) do
    call('HDEL', P .. ':buckets', low)
  end
end
for _ = 1, number() do
  local low, high, row, epoch = word(), number(), word(), word()
  if at_home then
    call('HSET', KEYS[1] .. ':buckets', low, row)
  end
  for_each_bucket(function(tag)
    local bucket = tonumber(tag:match('(%d+)}$'))
    if bucket >= tonumber(low) and bucket <= high and tonumber(call('GET', P .. ':epoch') or 0) < tonumber(epoch) then
      call('SET', P .. ':epoch', epoch)
    end
  end)
end
return 'divided'
