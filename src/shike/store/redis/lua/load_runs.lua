-- with: base lanes leases history graph
-- Runs that come from another store, as they were there. One that is here already stays as it is.
--
-- Tape: for each of KEYS: runs; then of each: id, body, what changed about it or '' (`base.lua`), run_at, whether it
--   waits for its permit ('1').
-- Touches P:run, P:chg, P:of:SCHEDULE, P:lane*, P:slice*, P:gate*.

local function load(id, body, raw, run_at, waits)
  if call('HSETNX', P .. ':run', id, body) == 0 then
    return
  end
  local tag, schedule = schedule_of(body)
  if tag then
    call('SADD', tag .. ':of:' .. schedule, id)
  end
  local c = raw ~= '' and unpack_change(raw) or unchanged(body)
  if waits then
    local gate = gate_of(body)
    stand_at_gate(id, gate, run_at)
    if byte(body, 1) >= TIED_FLAG then
      load_parents(id, body)
    end
  else
    enter(id, body, c, run_at)
  end
  if raw ~= '' or (c.run_at ~= 0 and c.run_at ~= due_of(body)) then
    keep_change(id, c)
  end
end

for_each_bucket(function()
  for _ = 1, number() do
    load(word(), word(), word(), number(), word() == '1')
  end
end)
return 0
