-- What is over: records for `find` and lists, in the order in which they ended, and counts that outlast them.
--
-- P:over, P:over_order     hash id → record; list of ids, oldest first
-- P:archived               how many of these ids, from the oldest on, are in the archive; none where there is no archive
-- P:unarchived             how many records went without having got there
-- P:dead                   hash id → record of a dead letter
-- P:dead_at, P:dead_ids    zset of their ids, by ended_at and by id
-- P:other_at               zset ids of the others that did not succeed, by ended_at
-- P:replayed               hash id → the run it was run again as
-- P:att                    hash id → its written attempts, each with its size in front
-- P:tally                  hash state → how many records there are
-- P:digest:DAY             hash state and task → how many ended so that day, kept for the audit
-- P:of:SCHEDULE            set  ids of the live runs of a schedule
-- P:holders:KEY            zset ids that hold a permit, in the order they got it
-- P:tt:SCHEDULE            hash moment → row of the timetable

local RECORD = '>dI4BI8HI4I4I4'
local ATTEMPTS_MAX = 100
local DAY = 86400000000
local over_words, over_ids, gone_ids, gone_changes, ended_count, digest = {}, {}, {}, {}, {}, {}
local parents_over = {} -- runs that ended in this step and are tied to others: `graph.lua`
local over_count, heads = 0, {} -- heads: what a record begins with, by how the run ended

local function write_attempt(id, row)
  local rows = (call('HGET', P .. ':att', id) or '') .. pack('>I4', #row) .. row
  local count, at = 0, 1
  while at <= #rows do
    count, at = count + 1, at + 4 + read('>I4', rows, at)
  end
  if count > ATTEMPTS_MAX then -- a run may be snoozed for ever
    rows = rows:sub(5 + read('>I4', rows))
  end
  call('HSET', P .. ':att', id, rows)
end

local function keep_state(body, id, state)
  local tag, schedule, at = schedule_of(body)
  local moment = body:sub(at, at + 7)
  local row = call('HGET', tag .. ':tt:' .. schedule, moment)
  if row and row:sub(2, 9) == id then
    call('HSET', tag .. ':tt:' .. schedule, moment, row:sub(1, 9) .. string.char(state) .. row:sub(11))
  end
end

local function release_permits(id, c)
  for _, key in ipairs(c.permits) do
    if call('ZREM', P .. ':holders:' .. key, id) == 1 then
      hint_once(FREED, '', key, now)
    end
  end
end

-- Out of the live keys: its body, what changed about it, its permits.
local function forget(id, body, c)
  gone_ids[#gone_ids + 1] = id
  if c then
    gone_changes[#gone_changes + 1] = id
    release_permits(id, c)
    if c.cancel ~= '' then
      call('HDEL', P .. ':asked', id)
    end
  end
  local tag, schedule = schedule_of(body)
  if tag then
    call('SREM', tag .. ':of:' .. schedule, id)
  end
end

local function tail_of(token, session, reason, result, trace)
  return pack('>I8HI4I4I4', token, #session, #reason, #result, #trace) .. session .. reason .. result .. trace
end

-- Over, for ever. It has left its place; `c` is nil where nothing ever changed about it. `tail`: the rest of the record
-- up to the body.
local function finish(id, body, c, state, attempts, tail)
  local head = heads[16 * attempts + state]
  if not head then
    head = pack('>dI4B', now, attempts, state)
    heads[16 * attempts + state] = head
  end
  local record = head .. tail .. body
  if state == DEAD then
    call('HSET', P .. ':dead', id, record)
    call('ZADD', P .. ':dead_at', NOW, id)
    call('ZADD', P .. ':dead_ids', 0, id)
  else
    over_count = over_count + 1
    over_words[2 * over_count - 1], over_words[2 * over_count], over_ids[over_count] = id, record, id
    if state ~= SUCCESS then
      call('ZADD', P .. ':other_at', NOW, id)
    end
  end
  local task = task_of(body)
  local tasks = digest[state] or {}
  digest[state] = tasks
  tasks[task] = (tasks[task] or 0) + 1
  ended_count[state] = (ended_count[state] or 0) + 1
  ended_ids[#ended_ids + 1] = id
  forget(id, body, c)
  if byte(body, 1) >= TIED_FLAG then
    parents_over[#parents_over + 1] = { id, body, state }
  end
end

-- A record leaves the history; the timetable remembers how it ended.
local function let_go(id, record)
  local _, _, state, _, session, reason, result, trace, at = read(RECORD, record)
  local body = record:sub(at + session + reason + result + trace)
  if has(body, SCHEDULED_FLAG) then
    keep_state(body, id, state)
  end
  call('HDEL', P .. ':att', id)
  if state ~= SUCCESS and state ~= DEAD then
    call('ZREM', P .. ':other_at', id)
  end
  call('HINCRBY', P .. ':tally', state, -1)
end

local function drop_dead(id, record)
  let_go(id, record)
  call('HDEL', P .. ':dead', id)
  call('ZREM', P .. ':dead_at', id)
  call('ZREM', P .. ':dead_ids', id)
  call('HDEL', P .. ':replayed', id)
end

-- The oldest records go, those that ended before an instant, at most so many; how many went. What is not in the archive
-- yet stays, but for `lost` of them.
local function drop_over(before, most, lost)
  local archived = most > 0 and call('GET', P .. ':archived')
  most = archived and math.min(most, math.max(tonumber(archived), lost)) or most
  local ids = most > 0 and call('LRANGE', P .. ':over_order', 0, most - 1) or {}
  local records, old = pick(P .. ':over', ids), {}
  for place, id in ipairs(ids) do
    if records[place] and read('>d', records[place]) >= before then
      break
    end
    if records[place] then
      let_go(id, records[place])
    end
    old[#old + 1] = id
  end
  if #old > 0 then
    call('LPOP', P .. ':over_order', #old)
    variadic('HDEL', P .. ':over', old)
  end
  if archived then
    local kept = math.min(#old, tonumber(archived))
    call('DECRBY', P .. ':archived', kept)
    if kept < #old then
      call('INCRBY', P .. ':unarchived', #old - kept)
    end
  end
  return #old
end

-- Write what `finish` and `forget` gathered for this bucket. `bound`: how many records are kept, 0 for no bound.
local function flush_history(bound)
  variadic('HSET', P .. ':over', over_words)
  local length = variadic('RPUSH', P .. ':over_order', over_ids)
  variadic('HDEL', P .. ':run', gone_ids)
  variadic('HDEL', P .. ':chg', gone_changes)
  for state, count in pairs(ended_count) do
    call('HINCRBY', P .. ':tally', state, count)
  end
  for state, tasks in pairs(digest) do
    for task, count in pairs(tasks) do
      call('HINCRBY', P .. ':digest:' .. text(math.floor(now / DAY)), state .. ':' .. task, count)
    end
  end
  if bound > 0 and over_count > 0 and length > bound then
    local above = length - bound
    drop_over(math.huge, math.min(above, 2 * over_count), above - bound)
  end
  if bound > 0 and ended_count[DEAD] and call('ZCARD', P .. ':dead_at') > bound then
    for _, id in ipairs(call('ZRANGE', P .. ':dead_at', 0, 1)) do
      drop_dead(id, call('HGET', P .. ':dead', id))
    end
  end
  over_words, over_ids, gone_ids, gone_changes, ended_count, digest, over_count = {}, {}, {}, {}, {}, {}, 0
end
