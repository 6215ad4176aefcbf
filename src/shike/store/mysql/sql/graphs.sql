-- name: holders_release
-- The permits that these runs gave back, the bodies of those that are tied to others, and the clock, with an empty body.
(select `key`, null from {ns}_holder force index (by_run) where run_id in $1 for update)
union all (select '', body from {ns}_run force index (primary) where id in $1 and holding >= 65536)
union all (select cast({clock} as char), '');
delete h from {ns}_holder h force index (by_run) where h.run_id in $1;

-- name: load_tied
update $1[] as v (id) straight_join {ns}_run r force index (primary) on r.id = v.id set r.holding = 65536;

-- name: gated_parents
update $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id set g.parents = $2;

-- name: children_free
-- $1 children, $2 how many parents of each ended, $3 run_at once it is free, $4 when it is looked at before its gate then
-- (it waits for approval, or for its limits), or 0. The runs are locked, so nobody else counts. Answers those that wait for no parent any more.
insert ignore into {ns}_laid (lane)
select r.lane from $1[] as v (id) straight_join {ns}_run r force index (primary) on r.id = v.id
left join {ns}_laid k on k.lane = r.lane where k.lane is null;
update $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id
straight_join {ns}_run r force index (primary) on r.id = v.id
set r.state = if($4 = 0, 1, r.state), r.run_at = if($4 = 0, $3, $4), r.version = r.version + 1
where g.parents = $2;
insert into {ns}_lane (lane, run_at, id, task)
select r.lane, r.run_at, r.id, r.task from $1[] as v (id)
straight_join {ns}_gated g force index (primary) on g.id = v.id
straight_join {ns}_run r force index (primary) on r.id = v.id
where g.parents = $2 and $4 = 0;
select g.id from $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id where g.parents = $2;
delete g from $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id
where g.parents = $2 and $4 = 0;
update $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id
set g.run_at = $4 where g.parents = $2;
update $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id
set g.parents = g.parents - $2;
