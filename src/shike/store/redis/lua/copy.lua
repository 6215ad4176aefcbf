-- with: base
-- A copy of buckets as they are at this instant, under names of its own, to be read in peace. Not in it: sessions, what
-- only their processes need, and the history, whose records never change: of that the order alone is copied.
--
-- Tape: step, name of the copy, then: 'make': how long it is kept, ms, most bytes of it; 'keep': how long; 'drop'.
-- Touches P:copy~NAME (set of the keys in it) and P:copy~NAME:*. 'make' answers 'made', or 'large' and how many bytes it
--   would have.

local step, name = word(), word()
local LEFT_OUT = {
  'copy~', 'session:', 'sessions', 'beating', 'left', 'server', 'held:', 'kept', 'num', 'asked', 'closed', 'receipts',
  'over', 'dead_at', 'dead_ids', 'other_at', 'key_ends', 'plan_at', 'of:', 'gate:', 'gates', 'lanes', 'slice:', 'slices', 'sliced',
  'slice_read', 'paused', 'epoch', 'places', 'tally', 'news',
}

local function is_left_out(rest)
  for _, start in ipairs(LEFT_OUT) do
    if rest == start or (start:find('[:~]$') and rest:sub(1, #start) == start) then
      return true
    end
  end
  return false
end

local tags = {}
for_each_bucket(function(tag)
  tags[tag] = true
end)

local function each_key(work)
  local at, scope = '0', P:match('^{[^:]+') .. (#KEYS == 1 and P:match(':%d+}$') or ':*}')
  repeat
    local page = call('SCAN', at, 'MATCH', scope .. ':*', 'COUNT', 1000)
    for _, key in ipairs(page[2]) do
      local tag, rest = key:match('^({[^}]*}):(.*)$')
      if tags[tag] and not is_left_out(rest) then
        work(tag, key, rest)
      end
    end
    at = page[1]
  until at == '0'
end

if step == 'make' then
  local kept_ms, most, bytes, found = word(), number(), 0, {}
  each_key(function(tag, key, rest)
    if not found[key] then
      found[key] = { tag, rest }
      bytes = bytes + (call('MEMORY', 'USAGE', key) or 0)
    end
  end)
  if bytes > most then
    return { 'large', bytes }
  end
  for key, place in pairs(found) do
    local copied = place[1] .. ':copy~' .. name .. ':' .. place[2]
    call('COPY', key, copied, 'REPLACE')
    call('SADD', place[1] .. ':copy~' .. name, copied)
    call('PEXPIRE', copied, kept_ms)
  end
  for_each_bucket(function()
    call('PEXPIRE', P .. ':copy~' .. name, kept_ms)
  end)
  return { 'made', bytes }
end

local kept_ms = step == 'keep' and word()
local function keep_or_drop(key)
  if kept_ms then
    call('PEXPIRE', key, kept_ms)
  else
    call('UNLINK', key)
  end
end
for_each_bucket(function()
  local keys = P .. ':copy~' .. name
  for _, key in ipairs(call('SMEMBERS', keys)) do
    keep_or_drop(key)
  end
  keep_or_drop(keys)
end)
return { 'done' }
