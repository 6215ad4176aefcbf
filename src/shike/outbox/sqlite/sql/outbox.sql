-- name: step
select step from {box}_relay;

-- name: step_done
update {box}_relay set step = ?1;

-- name: touch
-- Changes nothing, and begins the transaction that a driver begins by itself before the first change.
delete from {box} where 0;

-- name: post
-- Runs in the order given: a JSON list of [task, arguments, options].
insert into {box} (task, args, options)
select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
from json_each(?1) order by key;

-- name: take
-- ?1 the relay, ?2 its lease in µs: the right to hand on, where nobody else has it.
update {box}_relay set owner = ?1, until = {clock} + ?2 where owner = ?1 or until < {clock};

-- name: give_back
update {box}_relay set until = 0 where owner = ?1;

-- name: read
-- The first ?1 rows that wait; of each text as much as ?2 signs. A column holds whatever somebody wrote into it.
select id, cast(identity as text), cast(substr(task, 1, ?2) as text), cast(substr(args, 1, ?2) as text),
    cast(substr(options, 1, ?2) as text), cast(created_at as integer)
from {box} where refused_at = 0 order by id limit ?1;

-- name: done
delete from {box} where id in (select value from json_each(?1));

-- name: refuse
update {box} set refused_at = {clock}, reason = ?2 where id = ?1;

-- name: refused
select id, cast(substr(task, 1, ?2) as text), cast(substr(args, 1, ?2) as text), cast(created_at as integer),
    refused_at, reason
from {box} where refused_at > 0 order by id limit ?1;

-- name: retry
update {box} set refused_at = 0, reason = '' where refused_at > 0 and id in (select value from json_each(?1));

-- name: retry_all
update {box} set refused_at = 0, reason = '' where refused_at > 0;

-- name: drop
delete from {box} where refused_at > 0 and id in (select value from json_each(?1));

-- name: drop_all
delete from {box} where refused_at > 0;

-- name: counts
-- How many wait, how many were refused, and for how many µs the first has waited.
select (select count(*) from {box} where refused_at = 0), (select count(*) from {box} where refused_at > 0),
    coalesce((select {clock} - created_at from {box} where refused_at = 0 order by id limit 1), 0);
