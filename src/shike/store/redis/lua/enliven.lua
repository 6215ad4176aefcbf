-- with: base
-- Tell buckets of the store's life, or read what they have heard.
--
-- Tape: the life to give to those that have none, or ''. Touches P:life. Answers what each knows.

local life, known = word(), {}
for_each_bucket(function()
  if life ~= '' then
    call('SET', P .. ':life', life, 'NX')
  end
  known[#known + 1] = call('GET', P .. ':life')
end)
return known
