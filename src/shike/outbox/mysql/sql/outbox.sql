-- name: lock
select get_lock(sha1(concat(database(), '.{box}')), 60);

-- name: unlock
select release_lock(sha1(concat(database(), '.{box}')));

-- name: step
select step from {box}_relay;

-- name: step_done
update {box}_relay set step = $1;

-- name: post
-- Rows of (task, args, options).
insert into {box} (task, args, options) values $*;

-- name: take
-- $1 the relay, $2 its lease in µs: the right to hand on, where nobody else has it.
update {box}_relay set owner = $1, until = {clock} + $2 where owner = $1 or until < {clock};

-- name: give_back
update {box}_relay set until = 0 where owner = $1;

-- name: read
-- The first $1 rows that wait; of each text as much as $2 signs.
select id, identity, left(task, $2), left(args, $2), left(options, $2), created_at
from {box} force index (waiting) where refused_at = 0 order by id limit $1;

-- name: done
delete b from $1[] as v (id) straight_join {box} b force index (primary) on b.id = v.id;

-- name: refuse
update {box} set refused_at = {clock}, reason = $2 where id = $1;

-- name: refused
select id, left(task, $2), left(args, $2), created_at, refused_at, reason
from {box} where refused_at > 0 order by id limit $1;

-- name: retry
update {box} set refused_at = 0, reason = '' where refused_at > 0 and id in $1;

-- name: retry_all
update {box} set refused_at = 0, reason = '' where refused_at > 0;

-- name: drop
delete from {box} where refused_at > 0 and id in $1;

-- name: drop_all
delete from {box} where refused_at > 0;

-- name: counts
-- How many wait, how many were refused, and for how many µs the first has waited.
select (select count(*) from {box} where refused_at = 0), (select count(*) from {box} where refused_at > 0),
    coalesce((select {clock} - created_at from {box} where refused_at = 0 order by id limit 1), 0);
