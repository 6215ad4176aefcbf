-- name: run_assign
update {ns}_run set state = ?, lane = ?, place = ?, run_at = ?, version = version + 1 where id = ?;

-- name: session_is_open
select 1 from {ns}_session where id = ? and closed = 0;

-- name: lanes_routed
-- Halls and workers' own lanes in which something is eligible: how much, and since when. A loose scan over the lanes of
-- names that hold the sign.
with recursive
named(low) as (select id << 4 from {ns}_name where instr(text, '>') > 0),
found(lane, high) as (
    select (select min(lane) from {ns}_lane where lane between low and low + 15), low + 15 from named
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane and l.lane <= high), high
    from found where found.lane is not null
)
select
    lane,
    (select count(*) from (select 1 from {ns}_lane l where l.lane = found.lane and l.run_at <= ? limit ?)),
    (select min(run_at) from {ns}_lane l where l.lane = found.lane)
from found where lane is not null;

-- name: lane_standing
-- The first of one lane; of them where suspects stand, too.
select id from {ns}_lane where lane = ? and run_at <= ? order by run_at, id limit ?;

-- name: lane_from
select id from {ns}_lane where lane = ? and run_at > ? and run_at <= ? order by run_at, id limit ?;

-- name: purge_lane_names
-- Names of workers' own lanes whose sessions are forgotten. Never the highest number: it would be given again.
delete from {ns}_name where id in (
    select n.id from {ns}_name n
    where instr(n.text, '>') > 0 and substr(n.text, instr(n.text, '>') + 1) <> ''
        and n.id < (select max(id) from {ns}_name)
        and not exists (select 1 from {ns}_session s where s.id = substr(n.text, instr(n.text, '>') + 1))
        and not exists (select 1 from {ns}_lane l where l.lane between n.id << 4 and (n.id << 4) + 15)
    limit ?
);
