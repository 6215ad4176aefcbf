-- What every script stands on: its arguments, the clock, records of runs, and what it tells.
--
-- KEYS[n]  the hash tags of the virtual buckets it works in, `{namespace:bucket}`; every key it touches begins with
--          one of them (docs/decisions/0010-redis-layout.md lists them all). On a cluster all tags are one.
-- ARGV[1]  the instant to decide by, UTC µs; '' for the server's clock
-- ARGV[2]  the channel where hints are published
-- ARGV[3]  how many virtual buckets the store has
-- ARGV[4]  how long a slice is, µs; 0: there are none
-- ARGV[5]  the store's life, as the caller has opened it; '' from who is opening it
-- ARGV[6…] a tape: each script takes its own words from it in the order that its header names
--
-- P:life   string  the store's life, the same in each bucket; behind it, while a move is under way, what its phase
--                  refuses and its marker (`portable.py`)

local call, pack, read, byte = redis.call, struct.pack, struct.unpack, string.byte
local P = KEYS[1] -- the virtual bucket that is worked in; `for_each_bucket` moves it
local PER_CALL = 4000 -- words of one variadic command: Lua's stack takes 8,000
local FEW = 8 -- fields that are asked for without asking whether there are any

local CLAIMS, JOINS, WRITES, BEATS, DROPS = 'c', 'j', 'w', 'b', 'd'
local refused, marker = '', ''
if ARGV[5] ~= '' then
  local life = call('GET', P .. ':life')
  if life ~= ARGV[5] then
    local known = life and life:match('^%S+') or 'none'
    if known ~= ARGV[5] then
      return redis.error_reply('LIFE ' .. known)
    end
    refused, marker = life:match('^%S+ (%S*) (.*)$')
  end
end

-- Whether a phase of a move refuses steps of this kind; what they answer then.
local function refuses(kind)
  return refused:find(kind, 1, true) ~= nil
end
local function phase_reply()
  return redis.error_reply('MOVING ' .. marker)
end

local cursor = 5
local function word()
  cursor = cursor + 1
  return ARGV[cursor]
end
local function number()
  return tonumber(word())
end

local function text(value) -- a number as Redis takes it: all digits
  return string.format('%.0f', value)
end

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local NOW = text(now)
local BUCKETS = tonumber(ARGV[3])
local SLICE = tonumber(ARGV[4])

local function for_each_bucket(work)
  for _, tag in ipairs(KEYS) do
    P = tag
    work(tag)
  end
  P = KEYS[1]
end

local function variadic(command, key, words) -- the last answer
  local count, answer = #words, nil
  for first = 1, count, PER_CALL do
    answer = call(command, key, unpack(words, first, math.min(first + PER_CALL - 1, count)))
  end
  return answer
end

local function pick(key, fields) -- HMGET of any number of fields; of a key that is not there, nothing
  if #fields == 0 or (#fields > FEW and call('EXISTS', key) == 0) then
    return {}
  end
  if #fields <= PER_CALL then
    return call('HMGET', key, unpack(fields))
  end
  local found = {}
  for first = 1, #fields, PER_CALL do
    local part = call('HMGET', key, unpack(fields, first, math.min(first + PER_CALL - 1, #fields)))
    for number = 1, #part do
      found[#found + 1] = part[number]
    end
  end
  return found
end

-- ---------------------------------------------------------------- the body of a run: written once (`bodies.py`)

local TASK_AT = 20 -- behind flags, version, band, due_at, created_at
local SCHEDULED_FLAG, GATED_FLAG, EXPIRES_FLAG, FAIL_FLAG, ASK_FLAG = 1, 2, 4, 16, 32
local TIED_FLAG = 64 -- the highest: who is not below it is tied to others

local function has(body, flag)
  return bit.band(byte(body, 1), flag) ~= 0
end
local function due_of(body)
  return (read('>I8', body, 4))
end
local function task_of(body)
  return (read('>Hc0', body, TASK_AT))
end
local function queue_of(body)
  local size = read('>H', body, TASK_AT)
  return (read('>Hc0', body, TASK_AT + 2 + size))
end

local function base_of(lane) -- the queue that a lane is of (`shike.lanes`)
  return lane:match('^[^>]*')
end

local function behind_args(body)
  local size = read('>H', body, TASK_AT)
  local at = TASK_AT + 2 + size
  at = at + 2 + read('>H', body, at)
  return at + 4 + read('>I4', body, at)
end

-- The tag of a schedule's bucket, its name, and where its moment stands; nil: none. Ids are made so that a run lives in
-- the bucket of its schedule; on one server nothing depends on it.
local function schedule_of(body)
  if byte(body, 1) % 2 == SCHEDULED_FLAG then -- the lowest of the flags: every run is asked for it
    local bucket, name, at = read('>BHc0', body, behind_args(body))
    return P:match('^(.*:)%d+}$') .. bucket .. '}', name, at
  end
end

local function gate_of(body)
  if not has(body, GATED_FLAG) then
    return nil
  end
  local _, _, at = schedule_of(body)
  return (read('>Hc0', body, at and at + 28 or behind_args(body)))
end

local REST_FLAG = 8

-- The business key, which stands first in what is packed last (`bodies.py`); '' where there is none.
local function key_of(body)
  if not has(body, REST_FLAG) then
    return ''
  end
  local _, _, at = schedule_of(body)
  at = at and at + 28 or behind_args(body)
  if has(body, GATED_FLAG) then
    at = at + 2 + read('>H', body, at)
  end
  if has(body, EXPIRES_FLAG) then
    at = at + 8
  end
  if has(body, TIED_FLAG) then
    at = at + 4 + read('>I4', body, at)
  end
  local head = byte(body, at + 1) -- behind the byte that says how long the array is; the server's msgpack reads no bytes
  if head < 0xc0 then
    return body:sub(at + 2, at + 1 + head - 0xa0)
  end
  local size = head == 0xd9 and byte(body, at + 2) or read('>H', body, at + 2)
  local from = head == 0xd9 and at + 3 or at + 4
  return body:sub(from, from + size - 1)
end

local function with_times(body, due_at, created_at)
  return body:sub(1, 3) .. pack('>I8I8', due_at, created_at) .. body:sub(TASK_AT)
end

-- ---------------------------------------------------------------- what changed about a run since (`changes.py`)

local CHANGE = '>BI4HI4BBI4dI4I4H'
local SCHEDULED, ASSIGNED, RUNNING, SUCCESS, FAILED, DEAD, CANCELLED, SKIPPED = 1, 3, 4, 5, 6, 7, 8, 9

local function unchanged(body)
  return {
    state = SCHEDULED, attempts = 0, crashes = 0, version = 1, band = byte(body, 3), suspect = 0,
    together = 0, run_at = 0, cancel = '', progress = '', permits = {}, worker = '',
  }
end

local function unpack_change(raw)
  local c, cancel, progress, permits, at = {}, nil, nil, nil, nil
  c.state, c.attempts, c.crashes, c.version, c.band, c.suspect, c.together, c.run_at, cancel, progress, permits, at =
    read(CHANGE, raw)
  c.cancel = raw:sub(at, at + cancel - 1)
  at = at + cancel
  c.progress = raw:sub(at, at + progress - 1)
  at = at + progress
  c.permits = {}
  for place = 1, permits do
    c.permits[place], at = read('>Hc0', raw, at)
  end
  c.worker = raw:sub(at) -- whose lane it was put into; means nothing unless its state is ASSIGNED
  return c
end

local function keep_change(id, c)
  local words = {
    pack(
      CHANGE, c.state, c.attempts, c.crashes, c.version, c.band, c.suspect, c.together, c.run_at,
      #c.cancel, #c.progress, #c.permits
    ),
    c.cancel,
    c.progress,
  }
  for _, key in ipairs(c.permits) do
    words[#words + 1] = pack('>Hc0', #key, key)
  end
  words[#words + 1] = c.state == ASSIGNED and c.worker or ''
  call('HSET', P .. ':chg', id, table.concat(words))
end

local function change_of(id, body)
  local raw = call('HGET', P .. ':chg', id)
  return raw and unpack_change(raw) or unchanged(body), raw
end

-- ---------------------------------------------------------------- hints: gathered, then told in one message

local HINT = '>BHHdI4'
local DUE, GATED, FREED, ENDED, CANCEL, SCHEDULE, QUEUE = 1, 2, 3, 4, 5, 6, 7
local TOLD_AHEAD = 120000000 -- µs; a scanner reads again sooner than that
local told, news = {}, {}

local function hint(kind, queue, name, at, ids)
  news[#news + 1] = pack(HINT, kind, #queue, #name, at, #ids) .. queue .. name .. ids
end

local function hint_once(kind, queue, name, at)
  if at > now + TOLD_AHEAD then
    return
  end
  at = math.max(at, now)
  local instants = told[kind .. queue .. name]
  if not instants then
    instants = {}
    told[kind .. queue .. name] = instants
  end
  if not instants[at] then
    instants[at] = true
    hint(kind, queue, name, at, '')
  end
end

local ended_ids, cancelled_ids = {}, {}

local function tell()
  if #ended_ids > 0 then
    hint(ENDED, '', '', 0, table.concat(ended_ids))
  end
  if #cancelled_ids > 0 then
    hint(CANCEL, '', '', 0, table.concat(cancelled_ids))
  end
  if #news > 0 then
    call('PUBLISH', ARGV[2], '\0' .. table.concat(news))
  end
end
