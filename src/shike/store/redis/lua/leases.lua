-- The right of a session to what one claim granted: one record for the whole batch, and a byte per run of what became
-- of it. What is settled stays as a receipt.
--
-- P:lease          hash   token → claim, granted_at, count, manner, session, ids, their run_at
-- P:fate           hash   token → a sign per run: '0' open, '1' settled, '2' taken away
-- P:open           zset   tokens of leases with open runs
-- P:held:SESSION   zset   the same of one session, by claim
-- P:receipts       zset   tokens of the others, by when they were settled
-- P:kept           hash   session → leases and receipts
-- P:num            hash   session → its last claim granted here
-- P:asked          hash   id → token and session, of open runs that were asked to stop

local LEASE = '>I8I8I4BH'
local OPEN, SETTLED, TAKEN = 48, 49, 50 -- the signs, as bytes
local RECEIPTS_MIN, RECEIPT_MICROS = 1000, 100000000 -- with more than so many, those of so long ago go, a few a step
local leases = {} -- tag → token → what is known of it

local function token_number(token)
  return (read('>I8', token))
end

local function load_lease(token)
  local known = leases[P]
  if not known then
    known = {}
    leases[P] = known
  end
  if known[token] ~= nil then
    return known[token]
  end
  local raw = call('HGET', P .. ':lease', token)
  if not raw then
    known[token] = false
    return false
  end
  local lease, size, at = { token = token }, nil, nil
  lease.claim, lease.granted_at, lease.count, lease.manner, size, at = read(LEASE, raw)
  lease.session = raw:sub(at, at + size - 1)
  at = at + size
  lease.ids = raw:sub(at, at + 8 * lease.count - 1)
  lease.ats = raw:sub(at + 8 * lease.count)
  lease.fates = { byte(call('HGET', P .. ':fate', token), 1, math.min(lease.count, PER_CALL)) }
  lease.left = 0
  for number = 1, lease.count do
    if lease.fates[number] == OPEN then
      lease.left = lease.left + 1
    end
  end
  known[token] = lease
  return lease
end

local function place_in(lease, id)
  local wanted = 8 * (lease.after or 0) -- who asks for one mostly asks for the one behind it next
  if lease.ids:sub(wanted + 1, wanted + 8) == id then
    lease.after = wanted / 8 + 1
    return lease.after
  end
  local at = lease.ids:find(id, 1, true)
  while at and at % 8 ~= 1 do
    at = lease.ids:find(id, at + 1, true)
  end
  lease.after = at and (at + 7) / 8
  return lease.after
end

find_lease = function(id)
  for _, token in ipairs(call('ZRANGE', P .. ':open', 0, -1)) do
    local lease = load_lease(token)
    local number = place_in(lease, id)
    if number and lease.fates[number] == OPEN then
      return lease, number
    end
  end
end

local function id_at(lease, number)
  return lease.ids:sub(8 * number - 7, 8 * number)
end

local function drop_receipt(token)
  local lease = load_lease(token)
  call('HDEL', P .. ':lease', token)
  call('HDEL', P .. ':fate', token)
  call('ZREM', P .. ':receipts', token)
  if call('HINCRBY', P .. ':kept', lease.session, -1) <= 0 then
    call('HDEL', P .. ':kept', lease.session)
  end
end

local function save_lease(lease)
  local signs = {}
  for first = 1, lease.count, 200 do
    signs[#signs + 1] = string.char(unpack(lease.fates, first, math.min(first + 199, lease.count)))
  end
  call('HSET', P .. ':fate', lease.token, table.concat(signs))
  if lease.left > 0 then
    return
  end
  call('ZREM', P .. ':open', lease.token)
  call('ZREM', P .. ':held:' .. lease.session, lease.token)
  call('ZADD', P .. ':receipts', NOW, lease.token)
  if call('ZCARD', P .. ':receipts') > RECEIPTS_MIN then
    local old = call('ZRANGE', P .. ':receipts', '-inf', text(now - RECEIPT_MICROS), 'BYSCORE', 'LIMIT', 0, 4)
    for _, token in ipairs(old) do
      drop_receipt(token)
    end
  end
end

local function close_place(lease, number, sign)
  lease.fates[number] = sign
  lease.left = lease.left - 1
end
