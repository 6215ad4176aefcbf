-- with: base
-- What a rescue needs of the home bucket: the session must be closed, and owns no bucket any more.
--
-- KEYS[1] is the home bucket. Tape: session.
-- Touches P:session:ID, P:buckets (hash lowest virtual bucket → highest, epoch, owner).
-- Answers 'unknown', 'open', or 'closed', why, whether it died, how many runs it held or '' (nobody has counted yet).

if refuses(WRITES) then
  return phase_reply()
end
local session = word()
local state, reason, died, held =
  unpack(call('HMGET', P .. ':session:' .. session, 'state', 'reason', 'died', 'held'))
if state ~= 'closed' then
  return { state or 'unknown' }
end
local buckets = call('HGETALL', P .. ':buckets')
for place = 1, #buckets, 2 do
  if buckets[place + 1]:sub(13) == session then
    call('HSET', P .. ':buckets', buckets[place], buckets[place + 1]:sub(1, 12))
  end
end
return { 'closed', reason, died, held }
