-- name: lock
select pg_advisory_xact_lock(hashtext('{box}'));

-- name: step
select step from {box}_relay;

-- name: step_done
update {box}_relay set step = $1;

-- name: post
-- Runs in the order given: tasks, arguments, options.
insert into {box} (task, args, options)
select task, args, options
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as a (task, args, options, place) order by place;

-- name: take
-- $1 the relay, $2 its lease in µs: the right to hand on, where nobody else has it.
update {box}_relay set owner = $1, until = {clock} + $2 where owner = $1 or until < {clock};

-- name: give_back
update {box}_relay set until = 0 where owner = $1;

-- name: read
-- The first $1 rows that wait; of each text as much as $2 signs.
select id, identity::text, left(task, $2), left(args, $2), left(options, $2), created_at
from {box} where refused_at = 0 order by id limit $1;

-- name: done
delete from {box} where id = any($1::bigint[]);

-- name: refuse
update {box} set refused_at = {clock}, reason = $2 where id = $1;

-- name: refused
select id, left(task, $2), left(args, $2), created_at, refused_at, reason
from {box} where refused_at > 0 order by id limit $1;

-- name: retry
update {box} set refused_at = 0, reason = '' where refused_at > 0 and id = any($1::bigint[]);

-- name: retry_all
update {box} set refused_at = 0, reason = '' where refused_at > 0;

-- name: drop
delete from {box} where refused_at > 0 and id = any($1::bigint[]);

-- name: drop_all
delete from {box} where refused_at > 0;

-- name: counts
-- How many wait, how many were refused, and for how many µs the first has waited.
select (select count(*) from {box} where refused_at = 0), (select count(*) from {box} where refused_at > 0),
    coalesce((select {clock} - created_at from {box} where refused_at = 0 order by id limit 1), 0);
