-- with: base lanes leases history graph entries
-- Change runs that no worker settles, each by its own compare-and-set.
--
-- Tape: most records of the history to keep (0: all); then for each of KEYS: moves; then of each: id, numbers
--   ('>I4BdBB': version seen or 0, state, run_at or -1, band or 255, guards), reason, worker, note, another body or '',
--   guards. An ASSIGNED one whose worker is '' is refused.
-- Touches P:run, P:chg, P:att, P:lane*, P:slice*, P:gate*, P:lease, P:open, P:asked, P:keys, P:holders, and the history.
-- Answers a digit each: 0 accepted, 1 already, 2 refused, 3 unknown, 4 asked, 5 guarded.

if refuses(WRITES) then
  return phase_reply()
end
local bound = number()
local WAITING = 0

local function take_move()
  local move, guards = { id = word() }, nil
  move.version, move.to, move.run_at, move.band, guards = read('>I4BdBB', word())
  move.reason, move.worker, move.note, move.body = word(), word(), word(), word()
  move.guards = take_guards(guards)
  return move
end

local function of_one_that_is_over(move)
  flush_history(bound)
  local record = call('HGET', P .. ':over', move.id) or call('HGET', P .. ':dead', move.id)
  if not record then
    return '3'
  end
  local _, _, state = read(RECORD, record)
  return state == move.to and '1' or '2'
end

-- A running run is its worker's: it can be asked to stop, nothing else. The first reason stands.
local function ask(move, c, lease)
  if move.to ~= CANCELLED then
    return '2'
  end
  if c.cancel == '' then
    c.cancel = move.reason ~= '' and move.reason or 'cancelled'
    c.version = c.version + 1
    keep_change(move.id, c)
    call('HSET', P .. ':asked', move.id, lease.token .. lease.session)
  end
  cancelled_ids[#cancelled_ids + 1] = move.id
  return '4'
end

local function move_one(move)
  local body = call('HGET', P .. ':run', move.id)
  if not body then
    return of_one_that_is_over(move)
  end
  local c, raw = change_of(move.id, body)
  if move.version ~= 0 and move.version ~= c.version then
    return '2'
  end
  local place, run_at, lease = find(move.id, body, c, raw)
  if place == LEASED then
    return ask(move, c, lease)
  end
  if move.to == ASSIGNED then
    if place == AT_GATE or move.worker == '' or call('HEXISTS', P .. ':closed', move.worker) == 1 then
      return '2'
    end
  end
  if move.to == WAITING and place ~= AT_GATE and (move.body == '' or c.state ~= SCHEDULED) then
    return '2'
  end
  local begins = move.to == SCHEDULED or (move.to == WAITING and (move.run_at >= 0 or move.body ~= ''))
  if begins and place == AT_GATE and call('HEXISTS', P .. ':parents', move.id) == 1 then
    return '5'
  end
  for _, guard in ipairs(move.guards) do
    if not holds(guard, move.id) then
      return '5'
    end
  end
  for _, guard in ipairs(move.guards) do
    keep_guard(guard, move.id, c)
  end
  if move.to == WAITING then
    if move.body ~= '' then -- another gate than before, or one at all
      leave(move.id, body, c, place)
      body = move.body
      call('HSET', P .. ':run', move.id, body)
    end
    c.version, c.band = c.version + 1, move.band < 255 and move.band or c.band
    stand_at_gate(move.id, gate_of(body), move.run_at >= 0 and move.run_at or run_at)
    keep_change(move.id, c)
    return '0'
  end
  leave(move.id, body, c, place)
  if move.to ~= SCHEDULED and move.to ~= ASSIGNED then
    finish(move.id, body, c, move.to, c.attempts, tail_of(0, '', move.reason, '', ''))
    free_children()
    flush_history(bound)
    return '0'
  end
  c.state, c.version, c.worker = move.to, c.version + 1, move.worker
  if move.note ~= '' then
    write_attempt(move.id, move.note)
  end
  c.band = move.band < 255 and move.band or c.band
  if move.body ~= '' then
    body = move.body
    call('HSET', P .. ':run', move.id, body)
  end
  enter(move.id, body, c, move.run_at >= 0 and move.run_at or run_at)
  keep_change(move.id, c)
  return '0'
end

local answers = {}
for_each_bucket(function()
  for _ = 1, number() do
    answers[#answers + 1] = move_one(take_move())
  end
  flush_history(bound)
end)
tell()
return table.concat(answers)
