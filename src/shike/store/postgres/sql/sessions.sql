-- name: session_open
-- $1 now (null: read the clock), $7 the lease in µs and $9 in seconds (0: it does not beat).
with moment as (select coalesce($1::bigint, {clock}) as now)
insert into {ns}_session (
    id, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at,
    lease_seconds, beats
)
select $2, $3, $4, $5, $6::bigint, now, case when $7::bigint = 0 then 0 else now + $7 end, 0, 0, false, '', $8::int, '', 0,
    $9::double precision, $7 > 0
from moment where not exists (select 1 from {ns}_session where id = $2)
returning id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held;

-- name: session_find
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held
from {ns}_session where id = $1;

-- name: session_lock
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held
from {ns}_session where id = $1 for update;

-- name: session_close
update {ns}_session set closed = true, reason = $2, closed_at = $3, died = $4,
    held = (select coalesce(sum(open), 0) from {ns}_lease where session = $1 and settled_at = 0)
where number = $1;

-- name: session_beat
-- $1 now (null: read the clock), $2 the session, $3 the beat's number, $4 the lease in µs, $5 load, $6 the last claim it
-- received, $7 the tokens it holds, $8 the lease in seconds. Answers now, the session (null: unknown), whether it is closed and why, whether the
-- beat was a new one, when its lease ends, whether it holds leases that it does not name, whether any run was asked to
-- stop, and the queues that have something eligible and are not paused, a line each.
with recursive moment as (select coalesce($1::bigint, {clock}) as now),
renewed as (
    update {ns}_session s set beat = $3, expires_at = case when $4::bigint = 0 then 0 else now + $4 end, load = $5,
        lease_seconds = $8::double precision
    from moment where s.id = $2 and not s.closed and s.beat < $3
    returning s.number, s.expires_at
),
found (lane) as (
    select min(l.lane) from {ns}_lane l
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane) from found where found.lane is not null
)
select now, s.number, s.closed, s.reason, r.number is not null, coalesce(r.expires_at, s.expires_at),
    exists (
        select 1 from {ns}_lease l
        where l.session = s.number and l.settled_at = 0 and l.claim <= $6 and l.token <> all($7::bigint[])
    ),
    exists (select 1 from {ns}_run where cancel <> ''),
    (
        select coalesce(string_agg(distinct n.text, E'\n'), '')
        from found join {ns}_name n on n.id = found.lane >> 4
        where (select min(l.run_at) from {ns}_lane l where l.lane = found.lane) <= now
            and not exists (select 1 from {ns}_control c where c.key = 'queue/' || split_part(n.text, '>', 1))
    )
from moment
left join {ns}_session s on s.id = $2
left join renewed r on r.number = s.number;

-- name: runs_asked
select id from {ns}_run where cancel <> '' order by id;

-- name: runs_progress
update {ns}_run r set progress = v.progress
from unnest($1::bigint[], $2::bytea[]) as v (id, progress) where r.id = v.id;

-- name: sessions_find
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held
from {ns}_session where id = any($1::text[]);

-- name: buckets_lock
select low, high, owner, epoch from {ns}_bucket where high >= $1 and low <= $2 order by low for update;

-- name: buckets_drop
delete from {ns}_bucket where high >= $1 and low <= $2;

-- name: buckets_write
insert into {ns}_bucket (low, high, owner, epoch) select * from unnest($1::int[], $2::int[], $3::text[], $4::bigint[]);

-- name: bucket_holding
select low, high, owner, epoch from {ns}_bucket where low <= $1 and high >= $1 for share;

-- name: bucket_disown
update {ns}_bucket set owner = '' where owner = $1;
