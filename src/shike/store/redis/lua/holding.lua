-- with: base
-- What sessions have in these buckets. Tape: identities… (with their number). Reads P:num, P:held:ID.
-- Answers of each: its last claim granted here, how many of its leases are open.

local found = {}
for place = 1, number() do
  local identity = word()
  local claim, leases = 0, 0
  for_each_bucket(function()
    claim = math.max(claim, tonumber(call('HGET', P .. ':num', identity) or 0))
    leases = leases + call('ZCARD', P .. ':held:' .. identity)
  end)
  found[place] = { claim, leases }
end
return found
