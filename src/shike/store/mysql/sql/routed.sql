-- name: sessions_closed
select id, closed from {ns}_session where id in $1;

-- name: runs_assign
-- later
insert ignore into {ns}_laid (lane)
select v.lane from $*[3] as v (lane) left join {ns}_laid k on k.lane = v.lane where k.lane is null;
update $* as v (id, lane, place, run_at, holding) straight_join {ns}_run r force index (primary) on r.id = v.id
set r.state = 3, r.lane = v.lane, r.place = v.place, r.run_at = v.run_at, r.holding = v.holding,
    r.version = r.version + 1;
insert into {ns}_lane (lane, run_at, id, task)
select place, run_at, id, task from {ns}_run force index (primary) where id in $*(1);

-- name: lanes_routed
-- $1 now (null: read the clock). Halls and workers' own lanes in which something is eligible: how much (all of it: a limit
-- would be a table of its own, which the server does not let look at `k`; $2 is not used), and since when.
set @now = coalesce($1, {clock});
select k.lane,
    (select count(*) from {ns}_lane l where l.lane = k.lane and l.run_at <= @now),
    (select min(l.run_at) from {ns}_lane l where l.lane = k.lane)
from {ns}_name n join {ns}_laid k on k.lane between n.id << 4 and (n.id << 4) + 15
where locate('>', n.text) > 0;

-- name: lane_standing
-- $1 now (null: read the clock), $2 to $3 the lanes of one name, $4 how many: its first, by band, run_at and id.
set @now = coalesce($1, {clock});
select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body, r.together,
    r.task, r.holding, r.schedule, r.place
from (
    select l.id, l.run_at, l.lane & 7 as band from {ns}_lane l force index (primary)
    where l.lane between $2 and $3 and l.run_at <= @now order by l.lane & 7, l.run_at, l.id limit $4
) l straight_join {ns}_run r force index (primary) on r.id = l.id
order by l.band, l.run_at, l.id;

-- name: lane_from
-- $1 now (null: read the clock), $2 the lane, $3 after, $4 how many.
set @now = coalesce($1, {clock});
select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body, r.together,
    r.task, r.holding, r.schedule, r.place
from (
    select l.id, l.run_at from {ns}_lane l force index (primary)
    where l.lane = $2 and l.run_at > $3 and l.run_at <= @now order by l.run_at, l.id limit $4
) l straight_join {ns}_run r force index (primary) on r.id = l.id
order by l.run_at, l.id;

-- name: purge_lane_names
-- Names of workers' own lanes whose sessions are forgotten, and the lanes themselves.
delete k from {ns}_laid k straight_join {ns}_name n on n.id = k.lane >> 4
where locate('>', n.text) > 0 and substring_index(n.text, '>', -1) <> ''
    and not exists (select 1 from {ns}_session s where s.id = substring_index(n.text, '>', -1))
    and not exists (select 1 from {ns}_lane l where l.lane between n.id << 4 and (n.id << 4) + 15);
delete from {ns}_name
where locate('>', text) > 0 and substring_index(text, '>', -1) <> ''
    and not exists (select 1 from {ns}_session s where s.id = substring_index({ns}_name.text, '>', -1))
    and not exists (select 1 from {ns}_lane l where l.lane between {ns}_name.id << 4 and ({ns}_name.id << 4) + 15)
limit $1;

-- name: runs_homes
select id, body from {ns}_run where id in $1;
