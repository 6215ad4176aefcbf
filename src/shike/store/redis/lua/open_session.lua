-- with: base
-- Register a process; the same identity again gives the same session, as long as it lives.
--
-- KEYS[1] is the home bucket. Tape: identity, name, kind, host, pid, lease in seconds (as Python writes it), protocol,
--   which process of a server this is: another one than the last may have lost that one's last seconds, and numbers
--   that it gave.
-- Touches P:session:ID, P:sessions, P:beating (zset identities by number), P:session_number, P:server.
-- Answers 'closed' and why, or 'open' and the fields of the session.

if refuses(JOINS) then
  return phase_reply()
end
local SKIPPED = 1000 -- more than are given in the seconds that a server can lose
local identity = word()
local key = P .. ':session:' .. identity
if call('EXISTS', key) == 1 then
  if call('HGET', key, 'state') == 'closed' then
    return { 'closed', call('HGET', key, 'reason') }
  end
  return { 'open', call('HGETALL', key) }
end
local name, kind, host, pid, lease, protocol, server = word(), word(), word(), word(), word(), word(), word()
local expires_at = tonumber(lease) > 0 and now + math.floor(tonumber(lease) * 1000000 + 0.5) or 0
local known = call('GET', P .. ':server')
if known ~= server then
  call('SET', P .. ':server', server)
  if known then
    call('INCRBY', P .. ':session_number', SKIPPED)
  end
end
local session_number = call('INCR', P .. ':session_number')
call('HSET', key,
  'id', identity, 'number', session_number, 'name', name, 'kind', kind, 'host', host, 'pid', pid, 'started_at', NOW,
  'expires_at', text(expires_at), 'beat', 0, 'state', 'open', 'reason', '', 'protocol', protocol, 'load', '',
  'closed_at', 0, 'lease_seconds', lease, 'died', 0, 'held', 0)
call('ZADD', P .. ':sessions', session_number, identity)
if expires_at > 0 then
  call('ZADD', P .. ':beating', session_number, identity)
end
return { 'open', call('HGETALL', key) }
