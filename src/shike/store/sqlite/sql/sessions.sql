-- name: session_find
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at,
    lease_seconds, died, held
from {ns}_session where id = ?;

-- name: session_insert
insert into {ns}_session
    (id, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at, lease_seconds)
values (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, '', ?, x'', 0, ?);

-- name: session_beat
update {ns}_session set beat = ?, expires_at = ?, load = ?, lease_seconds = ? where number = ?;

-- name: session_close
update {ns}_session set closed = 1, reason = ?, closed_at = ?, died = ?,
    held = (select coalesce(sum(open), 0) from {ns}_lease l where l.session = {ns}_session.number and open > 0)
where number = ?;

-- name: run_progress
update {ns}_run set progress = ? where id = ?;

-- name: runs_asked
select id from {ns}_run where cancel <> '' order by id;

-- name: lanes_eligible
-- Queues that are not paused and have something eligible. A loose scan over lanes.
with recursive found(lane) as (
    select min(lane) from {ns}_lane
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane) from found where found.lane is not null
)
select distinct n.text
from found join {ns}_name n on n.id = found.lane >> 4
where (select min(run_at) from {ns}_lane l where l.lane = found.lane) <= ?
  and not exists (select 1 from {ns}_control where key = 'queue/' || substr(n.text, 1, instr(n.text || '>', '>') - 1))
order by n.text;

-- name: buckets_touching
select low, high, owner, epoch from {ns}_bucket where high >= ? and low <= ? order by low;

-- name: buckets_drop
delete from {ns}_bucket where high >= ? and low <= ?;

-- name: buckets_write
insert into {ns}_bucket (low, high, owner, epoch) values {rows of 4};

-- name: bucket_disown
update {ns}_bucket set owner = '' where owner = ?;
