-- with: base lanes leases
-- Runs by id, over or not.
--
-- Tape: for each of KEYS: ids… (with their number). Reads P:run, P:chg, P:over, P:dead, P:replayed and where they stand.
-- Answers of each id: {} (not known), {body, change or nil, place, run_at, token}, or {record, replayed as or nil}.

local function look(id)
  local body = call('HGET', P .. ':run', id)
  if body then
    local c, raw = change_of(id, body)
    local place, run_at, lease = find(id, body, c, raw)
    return { body, raw, place, run_at, lease and token_number(lease.token) or 0 }
  end
  local record = call('HGET', P .. ':over', id)
  if record then
    return { record, false }
  end
  record = call('HGET', P .. ':dead', id)
  return record and { record, call('HGET', P .. ':replayed', id) } or {}
end

local found = {}
for_each_bucket(function()
  for _ = 1, number() do
    found[#found + 1] = look(word())
  end
end)
return found
