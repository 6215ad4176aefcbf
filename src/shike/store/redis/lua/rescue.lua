-- What a lost lease, or a lost process, makes of a run: `shike.store.lost`.

local ORDINARY, TOGETHER, APART = 0, 1, 2 -- `Manner`

local function half(count)
  return math.max(math.floor((count + 1) / 2), 1)
end

-- What it is from here on: suspect, with how many others it may share a process, whether it and no other did it.
local function loss(died, held, lease, party, together)
  if lease.manner == TOGETHER then
    return 1, half(math.min(party, together)), died and held == 1
  elseif lease.manner == APART then -- the one process that it could have killed was another
    return 1, together, false
  end
  return (died or together > 0) and 1 or 0, math.max(half(held), 2), false
end

local function lost(body, c, crashes_max)
  if c.crashes >= crashes_max then
    return DEAD, 'poison: killed ' .. c.crashes .. ' processes'
  elseif has(body, FAIL_FLAG) then
    return DEAD, 'unknown outcome'
  elseif has(body, ASK_FLAG) then
    return DEAD, 'unknown outcome: ask'
  elseif c.cancel ~= '' then
    return CANCELLED, c.cancel
  end
  return SCHEDULED, ''
end

-- Back into a lane, or not; says what it became.
local function rescue(id, body, c, run_at, suspect, together, crashed, crashes_max)
  c.crashes = c.crashes + (crashed and 1 or 0)
  local state, reason = lost(body, c, crashes_max)
  if state == SCHEDULED then
    c.state, c.version, c.progress = SCHEDULED, c.version + 1, ''
    c.suspect, c.together = suspect, together
    enter(id, body, c, math.min(run_at, now))
    keep_change(id, c)
  else
    finish(id, body, c, state, c.attempts, tail_of(0, '', reason, '', ''))
  end
  return state
end
