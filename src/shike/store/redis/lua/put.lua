-- with: base
-- Write a control row by compare-and-set; a row that pauses something is told to each bucket.
--
-- Tape: whether KEYS[1] is the home bucket ('1'; else the buckets alone), key, '1' and the value or '0' and '' to
--   delete it, the version expected or '', the queue that the row switches, or ':' and what else it does, or ''.
-- Touches P:controls (hash key → version ('>I8') and value), P:paused (set of queues, and of ':task/NAME', ':tag/NAME', ':key/KEY').
-- Answers 'conflict' and the version that stands, or 'kept' and the row (nil: none).

if refuses(WRITES) then
  return phase_reply()
end
local at_home, key, is_there, value, expect, queue = word() == '1', word(), word() == '1', word(), word(), word()
local row = nil

-- Whether these very words were heard before, and nothing since.
local function is_repeat(raw, version)
  if not raw then
    return not is_there
  end
  return is_there and raw:sub(9) == value and version == tonumber(expect) + 1
end

if at_home then
  local raw = call('HGET', P .. ':controls', key)
  local version = raw and read('>I8', raw) or 0
  local is_expected = expect == '' or tonumber(expect) == version
  if not is_expected and not is_repeat(raw, version) then
    return { 'conflict', version }
  end
  row = raw
  if is_expected and is_there then
    row = pack('>I8', version + 1) .. value
    call('HSET', P .. ':controls', key, row)
  elseif is_expected then
    row = nil
    call('HDEL', P .. ':controls', key)
  end
end
if queue ~= '' then
  for_each_bucket(function()
    call(is_there and 'SADD' or 'SREM', P .. ':paused', queue)
  end)
  hint(QUEUE, queue:sub(1, 1) == ':' and '' or queue, '', 0, '')
end
tell()
return { 'kept', row or false }
