-- with: base
-- One command that reads one key of a bucket, as long as the store, or the copy of it that is read, is there.
--
-- KEYS[1] is the bucket. Tape: command, key behind the tag, its words. Answers what the command does.

return call(word(), P .. word(), unpack(ARGV, cursor + 1))
