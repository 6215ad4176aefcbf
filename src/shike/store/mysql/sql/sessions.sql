-- name: session_open
-- $1 now (null: read the clock), $7 the lease in µs and $9 in seconds (0: it does not beat).
set @now = coalesce($1, {clock});
insert into {ns}_session (
    id, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`, closed_at,
    lease_seconds, beats
)
select $2, $3, $4, $5, $6, @now, if($7 = 0, 0, @now + $7), 0, 0, false, '', $8, '', 0, $9, $7 > 0
from dual where not exists (select 1 from {ns}_session where id = $2);
set @made = row_count();
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session where number = last_insert_id() and @made > 0;

-- name: session_find
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session where id = $1;

-- name: session_lock
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session force index (by_id) where id = $1 for update;

-- name: session_close
set @held = (select coalesce(sum(open), 0) from {ns}_lease where session = $1 and settled_at = 0);
update {ns}_session s force index (primary)
set s.closed = true, s.reason = $2, s.closed_at = $3, s.died = $4, s.held = @held where s.number = $1;

-- name: session_beat
-- $1 now (null: read the clock), $2 the session, $3 the beat's number, $4 the lease in µs, $5 load, $6 the last claim it
-- received, $7 the tokens it holds, $8 the lease in seconds. Answers now, the session (null: unknown), whether it is
-- closed and why, whether the beat was a new one, when its lease ends, whether it holds leases that it does not name,
-- whether any run was asked to stop, and the queues that have something eligible and are not paused, a line each.
set @now = coalesce($1, {clock});
update {ns}_session s force index (by_id)
set s.beat = $3, s.expires_at = if($4 = 0, 0, @now + $4), s.`load` = $5, s.lease_seconds = $8
where s.id = $2 and not s.closed and s.beat < $3;
set @new = row_count();
select @now, s.number, s.closed, s.reason, @new > 0, s.expires_at,
    exists (
        select 1 from {ns}_lease l
        where l.session = s.number and l.settled_at = 0 and l.claim <= $6 and not coalesce(l.token in $7, false)
    ),
    exists (select 1 from {ns}_asked),
    (
        select coalesce(group_concat(distinct n.text separator x'0a'), '')
        from {ns}_laid k straight_join {ns}_name n on n.id = k.lane >> 4
        where (select l.run_at from {ns}_lane l where l.lane = k.lane order by l.run_at limit 1) <= @now
            and not exists (select 1 from {ns}_control c where c.`key` = concat('queue/', substring_index(n.text, '>', 1)))
    )
from (select 1 as one) o left join {ns}_session s on s.id = $2;

-- name: runs_asked
select id from {ns}_asked order by id;

-- name: runs_progress
-- later
update $* as v (id, progress) straight_join {ns}_run r force index (primary) on r.id = v.id
set r.progress = v.progress;

-- name: sessions_find
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session where id in $1;

-- name: buckets_lock
select low, high, owner, epoch from {ns}_bucket where high >= $1 and low <= $2 order by low for update;

-- name: buckets_drop
delete from {ns}_bucket where high >= $1 and low <= $2;

-- name: buckets_write
-- later
insert into {ns}_bucket (low, high, owner, epoch) values $*;

-- name: bucket_holding
select low, high, owner, epoch from {ns}_bucket force index (primary)
where low <= $1 and high >= $1 order by low desc limit 1 lock in share mode;

-- name: bucket_disown
update {ns}_bucket set owner = '' where owner = $1;
