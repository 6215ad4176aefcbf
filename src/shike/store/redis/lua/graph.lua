-- Runs that depend on others, as `shike.store.children` decides: what the end of a parent does to them in the same step.
--
-- P:parents   hash id → how many of the runs that it waits for are not over

local ENDED_AS = { [5] = 'SUCCESS', [7] = 'DEAD', [8] = 'CANCELLED', [9] = 'SKIPPED' }
local AFTER, BEFORE, APPROVAL = 3, 4, 5 -- places in the ties of a body
local UNTIL_FREED, QUOTE = 4503599627370496, string.char(39)
local GRAPH_GATE = 'graph/'
local chosen = {} -- id → branches that its success chose

local function ties_of(body)
  local at = behind_args(body)
  local _, _, moment_at = schedule_of(body)
  at = moment_at and moment_at + 28 or at
  if has(body, GATED_FLAG) then
    at = at + 2 + read('>H', body, at)
  end
  at = has(body, EXPIRES_FLAG) and at + 8 or at
  return cmsgpack.unpack((read('>I4c0', body, at)))
end

local function id_behind(id, distance)
  local high, low = read('>I4I4', id)
  low = low + distance * 256
  local carry = math.floor(low / 4294967296)
  return pack('>I4I4', high + carry, low - carry * 4294967296)
end

local function decimal(id)
  local digits, high, low = {}, read('>I4I4', id)
  while high > 0 or low > 0 do
    local rest = high % 10
    high, low = math.floor(high / 10), low + rest * 4294967296
    table.insert(digits, 1, low % 10)
    low = math.floor(low / 10)
  end
  return table.concat(digits)
end

-- When somebody looks at a new run: as it says, or once it is freed, or when its approval expires.
local function first_look(id, body, run_at)
  local ties, count = ties_of(body), 0
  for _, link in ipairs(ties[AFTER]) do
    count = count + link[2] - link[1] + 1
  end
  if count > 0 then
    call('HSET', P .. ':parents', id, count)
    return UNTIL_FREED
  end
  return ties[APPROVAL] > 0 and now + ties[APPROVAL] * 1000000 or run_at
end

-- One that comes from another store waits for those of its parents that are alive.
local function load_parents(id, body)
  local count = 0
  for _, link in ipairs(ties_of(body)[AFTER]) do
    for distance = link[1], link[2] do
      count = count + call('HEXISTS', P .. ':run', id_behind(id, distance))
    end
  end
  if count > 0 then
    call('HSET', P .. ':parents', id, count)
  end
end

-- What a child ends as because its parent ended so: (state, reason); nil: as far as this parent goes, it may run.
local function verdict(link, parent, body, state)
  local on_parent, branch = link[3], link[4]
  if state == SUCCESS then
    if branch == '' or (chosen[parent] and chosen[parent][branch]) then
      return nil
    end
    local by = decimal(parent) .. ' (' .. task_of(body) .. ')'
    return SKIPPED, 'branch ' .. QUOTE .. branch .. QUOTE .. ' was not chosen by run ' .. by
  end
  if on_parent == 'continue' then
    return nil
  end
  local fails = on_parent == 'fail' and state ~= SKIPPED
  return fails and DEAD or SKIPPED,
    'parent ' .. decimal(parent) .. ' (' .. task_of(body) .. ') is ' .. ENDED_AS[state]
end

local function end_child(id, state, reason)
  if call('HEXISTS', P .. ':parents', id) == 0 then
    return -- over already, or cancelled before
  end
  local body = call('HGET', P .. ':run', id)
  local c = change_of(id, body)
  leave(id, body, c, AT_GATE)
  finish(id, body, c, state, c.attempts, tail_of(0, '', reason, '', ''))
end

local function free_child(id)
  local body = call('HGET', P .. ':run', id)
  local c = change_of(id, body)
  leave(id, body, c, AT_GATE)
  c.version = c.version + 1
  local seconds, gate = ties_of(body)[APPROVAL], gate_of(body)
  if seconds > 0 then
    stand_at_gate(id, gate, now + seconds * 1000000)
  elseif gate:sub(1, #GRAPH_GATE) ~= GRAPH_GATE then -- that of its limits
    stand_at_gate(id, gate, math.max(due_of(body), now))
  else
    enter(id, body, c, math.max(due_of(body), now))
  end
  keep_change(id, c)
end

local function one_less(id)
  local left = tonumber(call('HGET', P .. ':parents', id) or 0)
  if left > 1 then
    call('HINCRBY', P .. ':parents', id, -1)
  elseif left == 1 then
    free_child(id)
  end
end

-- Of those that ended in this step free the children, or end those that must not run, and theirs: level by level.
local function free_children()
  local place = 1
  while place <= #parents_over do
    local parent, body, state = unpack(parents_over[place])
    for _, link in ipairs(ties_of(body)[BEFORE]) do
      local doom, reason = verdict(link, parent, body, state)
      for distance = link[1], link[2] do
        if doom then
          end_child(id_behind(parent, distance), doom, reason)
        else
          one_less(id_behind(parent, distance))
        end
      end
    end
    place = place + 1
  end
  parents_over = {}
end
