-- name: sessions_closed
-- Of these sessions. Their rows are not locked, for a claim locks lane entries before them: what is put into the lane of
-- one that is closed just now moves on with the rest of it.
select id, closed from {ns}_session where id = any($1::text[]);

-- name: runs_assign
with changed as (
    update {ns}_run r
    set state = 3, lane = v.lane, place = v.place, run_at = v.run_at, holding = v.holding, version = r.version + 1
    from unnest($1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::int[]) as v (id, lane, place, run_at, holding)
    where r.id = v.id
    returning r.id, r.place, r.run_at, r.task
)
insert into {ns}_lane (lane, run_at, id, task) select place, run_at, id, task from changed;

-- name: lanes_routed
-- $1 now (null: read the clock), $2 how many to count. Halls and workers' own lanes in which something is eligible: how
-- much, and since when. A loose scan over the lanes of names that hold the sign.
with recursive moment as (select coalesce($1::bigint, {clock}) as now),
named (low) as (select id << 4 from {ns}_name where position('>' in text) > 0),
found (lane, high) as (
    select (select min(l.lane) from {ns}_lane l where l.lane between low and low + 15), low + 15 from named
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane and l.lane <= high), high
    from found where found.lane is not null
)
select lane,
    (select count(*) from (select 1 from {ns}_lane l where l.lane = found.lane and l.run_at <= now limit $2) few),
    (select min(l.run_at) from {ns}_lane l where l.lane = found.lane)
from found, moment where lane is not null;

-- name: lane_standing
-- $1 now (null: read the clock), $2 to $3 the lanes of one name, $4 how many: its first, by band, run_at and id.
with moment as (select coalesce($1::bigint, {clock}) as now)
select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body, r.together,
    r.task, r.holding, r.schedule, r.place
from (
    select l.id, l.run_at, l.lane & 7 as band from {ns}_lane l, moment
    where l.lane between $2 and $3 and l.run_at <= now order by l.lane & 7, l.run_at, l.id limit $4
) l join {ns}_run r on r.id = l.id
order by l.band, l.run_at, l.id;

-- name: lane_from
-- $1 now (null: read the clock), $2 the lane, $3 after, $4 how many.
with moment as (select coalesce($1::bigint, {clock}) as now)
select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body, r.together,
    r.task, r.holding, r.schedule, r.place
from (
    select l.id, l.run_at from {ns}_lane l, moment
    where l.lane = $2 and l.run_at > $3 and l.run_at <= now order by l.run_at, l.id limit $4
) l join {ns}_run r on r.id = l.id
order by l.run_at, l.id;

-- name: purge_lane_names
-- Names of workers' own lanes whose sessions are forgotten.
delete from {ns}_name where id in (
    select n.id from {ns}_name n
    where position('>' in n.text) > 0 and split_part(n.text, '>', 2) <> ''
        and not exists (select 1 from {ns}_session s where s.id = split_part(n.text, '>', 2))
        and not exists (select 1 from {ns}_lane l where l.lane between n.id << 4 and (n.id << 4) + 15)
    limit $1
);

-- name: runs_homes
select id, body from {ns}_run where id = any($1::bigint[]);
