-- with: base lanes leases history graph entries rescue
-- Accept how attempts ended, each compared with its lease.
--
-- Tape: session, most records of the history to keep (0: all), processes that a run may kill; then for each of KEYS: acknowledgements; then of each:
--   id, numbers ('>BddBB': state, run_at or 0, delay in µs, effects, died; the state alone where all others are 0), tail of
--   the record ('>I8HI4I4I4': token, sizes; session, reason, result, trace), effects.
-- Touches P:closed, P:lease, P:fate, P:open, P:held, P:receipts, P:kept, P:asked, P:run, P:chg, P:lane*, P:slice*,
--   P:over*, P:dead*, P:att, P:tally, P:digest, P:of, P:holders, and what effects touch (`entries.lua`).
-- Answers a digit each, in the order of the tape: 0 accepted, 1 already, 2 refused, 3 unknown.

local session, bound, crashes_max = word(), number(), number()
local touched, answers, is_closed = {}, {}, false

-- What the lease says of the run: (lease, place in it), as far as there are such.
local function held_by(ack)
  local lease = load_lease(ack.token)
  if lease then
    return lease, place_in(lease, ack.id)
  end
end

local function stale(lease, number, ack)
  if lease and number then
    local sign = lease.fates[number]
    return (sign == SETTLED and lease.session == session) and '1' or '2'
  end
  flush_history(bound)
  local record = call('HGET', P .. ':over', ack.id) or call('HGET', P .. ':dead', ack.id)
  if record then
    local _, _, _, token, size, _, _, _, at = read(RECORD, record)
    local is_mine = token > 0 and pack('>I8', token) == ack.token and record:sub(at, at + size - 1) == session
    return is_mine and '1' or '2'
  end
  return call('HEXISTS', P .. ':run', ack.id) == 1 and '2' or '3'
end

local function untold(lease, reason, c) -- the row of a failed attempt whose worker sent no trace
  return cmsgpack.pack({
    1, c.attempts + 1, token_number(lease.token), lease.session, FAILED, lease.granted_at, 0, now, reason,
  })
end

-- Failed or given back: into a lane again, unless somebody asked for it to stop.
local function come_back(lease, number, ack, body, c)
  local token, size, reason, result, trace, at = read('>I8HI4I4I4', ack.tail)
  at = at + size
  reason = ack.tail:sub(at, at + reason - 1)
  trace = trace > 0 and ack.tail:sub(-trace)
  if ack.died == 1 and lease.manner == APART then -- no failure of an attempt, but a crash
    write_attempt(ack.id, trace or untold(lease, reason, c))
    local run_at = read('>d', lease.ats, 8 * number - 7)
    rescue(ack.id, body, c, run_at, 1, c.together, true, crashes_max)
    return
  end
  if c.cancel ~= '' then
    local attempts = c.attempts + (trace and 1 or 0)
    finish(ack.id, body, c, CANCELLED, attempts, tail_of(token, session, c.cancel, '', trace or ''))
    return
  end
  local failed = ack.state == FAILED
  if failed or trace then
    write_attempt(ack.id, trace or untold(lease, reason, c))
    c.suspect, c.together = 0, 0 -- its process outlived it
  end
  c.attempts = c.attempts + (failed and 1 or 0)
  c.state, c.version, c.progress = ack.state, c.version + 1, ''
  enter(ack.id, body, c, ack.run_at > 0 and ack.run_at or now + ack.delay)
  keep_change(ack.id, c)
end

local function accept_ack(lease, number, ack, body, raw)
  for _, effect in ipairs(ack.effects or NONE) do
    chosen[ack.id] = effect.branches or chosen[ack.id]
  end
  if ack.state == FAILED or ack.state == SCHEDULED then
    come_back(lease, number, ack, body, raw and unpack_change(raw) or unchanged(body))
  else
    local c = raw and unpack_change(raw) or nil
    local was_tried = read('>I4', ack.tail, 19) > 0 -- it has a trace
    finish(ack.id, body, c, ack.state, (c and c.attempts or 0) + (was_tried and 1 or 0), ack.tail)
  end
  free_children()
  close_place(lease, number, SETTLED)
  touched[lease] = true
  if ack.effects then
    flush_history(bound)
    for _, effect in ipairs(ack.effects) do
      apply(effect, ack.id)
    end
  end
end

local function take_ack()
  local ack, numbers, effects = { id = word() }, word(), 0
  ack.tail = word()
  ack.token = ack.tail:sub(1, 8)
  if #numbers == 1 then
    ack.state, ack.run_at, ack.delay = byte(numbers), 0, 0
  else
    ack.state, ack.run_at, ack.delay, effects, ack.died = read('>BddBB', numbers)
  end
  ack.effects = effects > 0 and take_effects(effects)
  return ack
end

local function take_acks(count)
  local acks, ids = {}, {}
  for place = 1, count do
    acks[place] = take_ack()
    ids[place] = acks[place].id
  end
  return acks, ids
end

local answered = 0
for_each_bucket(function()
  local acks, ids = take_acks(number())
  local bodies, changes = pick(P .. ':run', ids), pick(P .. ':chg', ids)
  is_closed = call('HEXISTS', P .. ':closed', session) == 1
  for place, ack in ipairs(acks) do
    local lease, in_lease = held_by(ack)
    local is_held = in_lease and lease.fates[in_lease] == OPEN and lease.session == session and bodies[place]
    answered = answered + 1
    if is_held and not is_closed then
      accept_ack(lease, in_lease, ack, bodies[place], changes[place])
      answers[answered] = '0'
    else
      answers[answered] = stale(lease, in_lease, ack)
    end
  end
  for lease in pairs(touched) do
    save_lease(lease)
  end
  touched = {}
  flush_history(bound)
end)
tell()
return table.concat(answers)
