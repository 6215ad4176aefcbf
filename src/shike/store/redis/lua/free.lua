-- with: base lanes leases history graph rescue
-- Give back what a closed session held: runs become eligible, or end as their options say.
--
-- Tape: session, why it was closed, whether it died ('1'), how many runs it held then, most leases, processes that a run
--   may kill, most records of the history to keep.
-- Touches P:closed, P:held, P:lease, P:fate, P:open, P:receipts, P:kept, P:asked, P:run, P:chg, P:att, P:lane*, and the
--   history.
-- Answers ids eligible again, ids that are dead letters now, how many leases were given back, whether more remain ('1').

if refuses(WRITES) then
  return phase_reply()
end
local session, why, died, held = word(), word(), word() == '1', number()
local most, crashes_max, bound = number(), number(), number()
local requeued, dead, count, remain = {}, {}, 0, false

-- Its process died with it: write the attempt down and decide what that means.
local function take_back(lease, place, party)
  local id = id_at(lease, place)
  local body = call('HGET', P .. ':run', id)
  local c = change_of(id, body)
  write_attempt(id, cmsgpack.pack({
    1, c.attempts + 1, token_number(lease.token), session, FAILED, lease.granted_at, 0, now, 'lost: ' .. why,
  }))
  close_place(lease, place, TAKEN)
  local suspect, together, crashed = loss(died, held, lease, party, c.together)
  local run_at = read('>d', lease.ats, 8 * place - 7)
  local state = rescue(id, body, c, run_at, suspect, together, crashed, crashes_max)
  if state == SCHEDULED then
    requeued[#requeued + 1] = id
  elseif state == DEAD then
    dead[#dead + 1] = id
  end
end

for_each_bucket(function()
  call('HSETNX', P .. ':closed', session, why)
  if count < most then
    for _, token in ipairs(call('ZRANGE', P .. ':held:' .. session, 0, most - count - 1)) do
      local lease = load_lease(token)
      local party = lease.left
      for place = 1, lease.count do
        if lease.fates[place] == OPEN then
          take_back(lease, place, party)
        end
      end
      save_lease(lease)
      count = count + 1
    end
    free_children()
    flush_history(bound)
  end
  remain = remain or call('EXISTS', P .. ':held:' .. session) == 1
end)
tell()
return { requeued, dead, count, remain and 1 or 0 }
