-- with: base
-- Records of runs that are over, from another store. One that is here already stays as it is.
--
-- Tape: for each of KEYS: records; then of each: id, record, whether it is a dead letter ('1'), the run that it was run
--   again as, or ''.
-- Touches P:over, P:loaded (zset ids by when they ended, until the books are closed), P:dead*, P:other_at,
--   P:replayed, P:tally.

for_each_bucket(function()
  for _ = 1, number() do
    local id, record, is_dead, replayed = word(), word(), word() == '1', word()
    local ended_at, _, state = read('>dI4B', record)
    if call('HSETNX', P .. (is_dead and ':dead' or ':over'), id, record) == 1 then
      call('HINCRBY', P .. ':tally', state, 1)
    end
    if is_dead then
      call('ZADD', P .. ':dead_at', text(ended_at), id)
      call('ZADD', P .. ':dead_ids', 0, id)
      if replayed ~= '' then
        call('HSET', P .. ':replayed', id, replayed)
      end
    else
      call('ZADD', P .. ':loaded', text(ended_at), id)
      if state ~= SUCCESS then
        call('ZADD', P .. ':other_at', text(ended_at), id)
      end
    end
  end
end)
return 0
