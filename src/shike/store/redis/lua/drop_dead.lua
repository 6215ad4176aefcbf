-- with: base lanes leases history
-- Forget dead letters that a person has dealt with.
--
-- Tape: for each of KEYS: ids… (with their number). Touches P:dead*, P:replayed, P:att, P:tally, P:tt.
-- Answers how many there were.

if refuses(WRITES) then
  return phase_reply()
end
local count = 0
for_each_bucket(function()
  for _ = 1, number() do
    local id = word()
    local record = call('HGET', P .. ':dead', id)
    if record then
      drop_dead(id, record)
      count = count + 1
    end
  end
end)
return count
