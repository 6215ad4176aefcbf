-- with: base
-- Say in each bucket which phase a move is in; whoever is refused answers with the marker.
--
-- Tape: what the phase refuses (kinds of `base.lua`), marker or '' where no move is under way. Touches P:life.

local refused_kinds, words = word(), word()
for_each_bucket(function()
  local life = call('GET', P .. ':life'):match('^%S+')
  call('SET', P .. ':life', words == '' and life or life .. ' ' .. refused_kinds .. ' ' .. words)
end)
return 0
