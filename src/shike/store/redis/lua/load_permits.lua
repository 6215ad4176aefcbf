-- with: base
-- Permits that runs hold already, in the order they got them.
--
-- Tape: for each of KEYS: permits; then of each: id, key. Touches P:holders:KEY, P:places, P:chg; reads P:run.

for_each_bucket(function()
  for _ = 1, number() do
    local id, key = word(), word()
    local body = call('HGET', P .. ':run', id)
    if body then
      if call('ZADD', P .. ':holders:' .. key, 'NX', call('INCR', P .. ':places'), id) == 1 then
        local c = change_of(id, body)
        c.permits[#c.permits + 1] = key
        keep_change(id, c)
      end
    end
  end
end)
return 0
