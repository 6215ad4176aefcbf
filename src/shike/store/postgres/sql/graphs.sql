-- name: holders_release
-- The permits that these runs gave back, the bodies of those that are tied to others, and the clock, with an empty body.
with freed as (delete from {ns}_holder where run_id = any($1::bigint[]) returning key)
select key, null::bytea as body from freed
union all select '', body from {ns}_run where id = any($1::bigint[]) and holding >= 65536
union all select {clock}::text, ''::bytea;

-- name: load_tied
update {ns}_run set holding = 65536 where id = any($1::bigint[]);

-- name: gated_parents
update {ns}_gated set parents = $2 where id = any($1::bigint[]);

-- name: children_free
-- $1 children, $2 how many parents of each ended, $3 run_at once it is free, $4 when it is looked at before its gate then
-- (it waits for approval, or for its limits), or 0. The runs are locked, so nobody else counts. Answers those that wait for no parent any more. Without a join: a plan
-- that is made while few wait takes any order, and would look at all that wait for each of them.
with free as (
    delete from {ns}_gated
    where id = any($1::bigint[]) and parents = $2::int and $4::bigint = 0 returning id
),
counted as (
    update {ns}_gated set parents = parents - $2::int, run_at = case when parents = $2::int then $4::bigint else run_at end
    where id = any($1::bigint[]) and (parents > $2::int or $4::bigint > 0)
    returning id, parents
),
changed as (
    update {ns}_run set state = 1, run_at = $3::bigint, version = version + 1 where id = any(array(select id from free))
    returning id, lane, run_at, task
),
awaiting as (
    update {ns}_run set run_at = $4::bigint, version = version + 1
    where id = any(array(select id from counted where parents = 0))
),
entered as (
    insert into {ns}_lane (lane, run_at, id, task) select lane, run_at, id, task from changed
)
select id from free union all select id from counted where parents = 0;
