-- Runs come in: what is checked of an entry, what is done with it, and how it is stored.
--
-- P:keys, P:key_ends       hash business key → id and until when; zset of keys by that instant
-- P:holders:KEY            zset ids that hold a permit, in the order they got it
-- P:places                 the number of the last permit given
-- P:schedules              hash name → how far it is planned (`schedules.py`)
-- P:plan_at                zset names by when the planner looks again
-- P:tt:SCHEDULE, P:tt_moments:SCHEDULE    hash moment → row; zset of moments
-- P:tt_names               set  schedules that have rows
--
-- An entry on the tape: id, body, numbers ('>ddBBB': run_at or 0, delay in µs or -1, guards, effects, which of KEYS), then
-- a guard: 'A' key µs | 'B' key cap, and an effect: 'I' entry | 'R' id | 'C' branches, each | 'P' schedule, numbers ('>I4dI8I4I4d':
-- version, delay in µs, ordinal, where the moment and the expiry stand in the body or 0, expiry after due_at), entry

local PLANNED = '>I4c8I8c8BB' -- version, cursor, ordinal, plan_at, paused, deleted
local take_entry

local NONE = {}

local function take_guards(count)
  if count == 0 then
    return NONE
  end
  local guards = {}
  for place = 1, count do
    guards[place] = { kind = word(), key = word(), value = number() }
  end
  return guards
end

local function take_effects(count)
  if count == 0 then
    return NONE
  end
  local effects = {}
  for place = 1, count do
    local kind, effect = word(), nil
    if kind == 'I' then
      effect = { entry = take_entry() }
    elseif kind == 'R' then
      effect = { id = word() }
    elseif kind == 'C' then
      effect = { branches = {} }
      for _ = 1, number() do
        effect.branches[word()] = true
      end
    else
      effect = { schedule = word(), numbers = word(), entry = take_entry() }
    end
    effect.kind = kind
    effects[place] = effect
  end
  return effects
end

take_entry = function()
  local entry, guards, effects = { id = word(), body = word() }, nil, nil
  entry.run_at, entry.delay, guards, effects, entry.bucket = read('>ddBBB', word())
  entry.guards = take_guards(guards)
  entry.effects = take_effects(effects)
  return entry
end

-- ---------------------------------------------------------------- guards

local function holds(guard, id)
  if guard.kind == 'B' then
    local key = P .. ':holders:' .. guard.key
    return call('ZSCORE', key, id) or call('ZCARD', key) < guard.value
  end
  local known = call('HGET', P .. ':keys', guard.key)
  return not known or read('>d', known, 9) <= now or known:sub(1, 8) == id
end

-- What a guard that holds leaves behind: a permit, which `c` notes, or a remembered key.
local function keep_guard(guard, id, c)
  if guard.kind == 'B' then
    if call('ZADD', P .. ':holders:' .. guard.key, 'NX', call('INCR', P .. ':places'), id) == 1 then
      c.permits[#c.permits + 1] = guard.key
    end
    return
  end
  local ends_at = now + guard.value
  call('HSET', P .. ':keys', guard.key, id .. pack('>d', ends_at))
  call('ZADD', P .. ':key_ends', text(ends_at), guard.key)
end

local function body_anywhere(id) -- of a run that is live or over; nil: not known
  local body = call('HGET', P .. ':run', id)
  if body then
    return body
  end
  local record = call('HGET', P .. ':over', id) or call('HGET', P .. ':dead', id)
  if record then
    local _, _, _, _, session, reason, result, trace, at = read('>dI4BI8HI4I4I4', record)
    return record:sub(at + session + reason + result + trace)
  end
end

local function can_replay(dead_id, id)
  if call('HEXISTS', P .. ':dead', dead_id) == 0 then
    return false, id
  end
  local as = call('HGET', P .. ':replayed', dead_id)
  return not as or as == id, as or id
end

-- Why an entry is not stored, and the run that stands in its way; nil where every guard holds.
local function refusal(entry)
  for _, guard in ipairs(entry.guards) do
    if not holds(guard, entry.id) then
      if guard.kind == 'B' then
        return 'Below', entry.id
      end
      return 'Absent', call('HGET', P .. ':keys', guard.key):sub(1, 8)
    end
  end
  for _, effect in ipairs(entry.effects) do
    if effect.kind == 'R' then
      local can, as = can_replay(effect.id, entry.id)
      if not can then
        return 'Replayed', as
      end
    end
  end
end

-- ---------------------------------------------------------------- storing

-- Its instants by the store's clock: (body, run_at).
local function timed(entry)
  local due_at, created_at = read('>I8I8', entry.body, 4)
  local run_at, due = entry.run_at, due_at
  if entry.delay >= 0 then
    run_at = now + entry.delay
    due = run_at
  else
    if run_at == 0 then
      run_at = due_at > 0 and due_at or now
    end
    due = due_at > 0 and due_at or run_at
  end
  if due ~= due_at or created_at == 0 then
    return with_times(entry.body, due, created_at > 0 and created_at or now), run_at
  end
  return entry.body, run_at
end

-- A new run: into its lane, or before its gate. `c` is nil where no permit was taken for it.
local function accept(id, body, c, run_at)
  call('HSET', P .. ':run', id, body)
  local tag, schedule = schedule_of(body)
  if tag then
    call('SADD', tag .. ':of:' .. schedule, id)
  end
  local gate = gate_of(body)
  if gate then
    stand_at_gate(id, gate, byte(body, 1) >= TIED_FLAG and first_look(id, body, run_at) or run_at)
  else
    local state = c or unchanged(body)
    enter(id, body, state, run_at)
    if state.run_at ~= 0 and state.run_at ~= due_of(body) then
      c = state
    elseif not c then
      return
    end
  end
  if c then
    keep_change(id, c)
  end
end

local apply

local function store_entry(entry)
  local body, run_at = timed(entry)
  local c = nil
  for _, guard in ipairs(entry.guards) do
    if guard.kind == 'B' and not c then
      c = unchanged(body)
    end
    keep_guard(guard, entry.id, c)
  end
  accept(entry.id, body, c, run_at)
  for _, effect in ipairs(entry.effects) do
    apply(effect, entry.id)
  end
end

-- A moment's row and its run, unless it has one. A withdrawn row gives way: its run never began.
local WITHDRAWN, ROW = 4, '>Bc8BI4c8I8I8'

local function write_moment(tag, schedule, version, moment, id, body, run_at)
  local row = call('HGET', tag .. ':tt:' .. schedule, moment)
  if (row and byte(row, 1) ~= WITHDRAWN) or body_anywhere(id) then
    return false
  end
  call('HSET', tag .. ':tt:' .. schedule, moment, pack(ROW, 0, id, 255, version, moment, 1, due_of(body)))
  call('ZADD', tag .. ':tt_moments:' .. schedule, text((read('>I8', moment))), moment)
  call('SADD', tag .. ':tt_names', schedule)
  accept(id, body, nil, run_at)
  return true
end

local function plan_next(effect)
  local tag = schedule_of(effect.entry.body)
  local raw = call('HGET', tag .. ':schedules', effect.schedule)
  if not raw then
    return
  end
  local version, _, ordinal, plan_at, paused, deleted, rest = read(PLANNED, raw)
  local wanted, delay, next_ordinal, moment_at, expires_at, expires_after = read('>I4dI8I4I4d', effect.numbers)
  if deleted == 1 or paused == 1 or version ~= wanted or next_ordinal ~= ordinal + 1 then
    return
  end
  local at, id, body = now + delay, effect.entry.id, effect.entry.body
  local created_at = read('>I8', body, 12)
  body = with_times(body, at, created_at > 0 and created_at or now)
  local moment = pack('>I8', at)
  body = body:sub(1, moment_at) .. moment .. body:sub(moment_at + 9)
  if expires_at > 0 then
    body = body:sub(1, expires_at) .. pack('>I8', at + expires_after) .. body:sub(expires_at + 9)
  end
  if write_moment(tag, effect.schedule, version, moment, id, body, at) then
    local planned = pack(PLANNED, version, moment, next_ordinal, plan_at, 0, 0) .. raw:sub(rest)
    call('HSET', tag .. ':schedules', effect.schedule, planned)
  end
end

-- Do what a step brings with it. `id`: the run that the step is about.
apply = function(effect, id)
  if effect.kind == 'I' then
    if not body_anywhere(effect.entry.id) and not refusal(effect.entry) then
      store_entry(effect.entry)
    end
  elseif effect.kind == 'R' then
    if can_replay(effect.id, id) then
      call('HSET', P .. ':replayed', effect.id, id)
    end
  elseif effect.kind == 'P' then
    plan_next(effect)
  end
end
