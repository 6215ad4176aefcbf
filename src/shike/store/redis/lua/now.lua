-- with: base
-- The instant to decide by. Reads nothing.

return now
