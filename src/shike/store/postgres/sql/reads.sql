-- name: run_live
-- Where the run is in no lane and before no gate: the open leases whose ids hold its 8 bytes, $2, wherever they begin.
select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body,
    r.together, r.task, r.holding, r.schedule, l.token, l.ids, l.fates, r.place
from {ns}_run r
left join {ns}_lane e on e.lane = case when r.state = 3 then r.place else r.lane end and e.run_at = r.run_at and e.id = r.id
left join {ns}_lease l on r.state <> 0 and e.id is null and l.settled_at = 0 and position($2::bytea in l.ids) > 0
where r.id = $1;

-- name: run_ended
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
from {ns}_dead where id = $1
union all
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0
from {ns}_history where id = $1;

-- name: over_of_runs
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
from {ns}_dead where id = any($1::bigint[])
union all
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0
from {ns}_history where id = any($1::bigint[]);

-- name: attempts_of
-- The last one lies with the ended run.
select body from (
    select token, body from {ns}_attempt where run_id = $1
    union all select 9223372036854775807, trace from {ns}_dead where id = $1 and trace <> ''
    union all select 9223372036854775807, trace from {ns}_history where id = $1 and trace <> ''
) a order by token;

-- name: runs_ended
-- $1 before, $2 task, $3 queue, $4 schedule, $5 key, $6 whether only these states: $7; $8 how many.
select * from (
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0::bigint as replayed_as
    from {ns}_history
    where id < $1 and ($2::int = 0 or task = $2) and ($3::int = 0 or lane >> 4 = $3) and ($4::int = 0 or schedule = $4)
        and ($5::text = '' or key = $5) and (not $6::boolean or state = any($7::smallint[]))
    order by id desc limit $8
) h
union all
select * from (
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
    from {ns}_dead
    where id < $1 and ($2::int = 0 or task = $2) and ($3::int = 0 or lane >> 4 = $3) and ($4::int = 0 or schedule = $4)
        and ($5::text = '' or key = $5) and (not $6::boolean or state = any($7::smallint[]))
    order by id desc limit $8
) d;

-- name: runs_live
-- $1 before, $2 task, $3 queue, $4 schedule, $5 key, $6 whether only these states: $7; $8 now, $9 how many. The last
-- column says whether a lease holds the run. PENDING (2) is a predicate: in a lane, and eligible.
select * from (
    select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body,
        r.together, r.task, r.holding, r.schedule, r.state <> 0 and e.id is null as leased, r.place
    from {ns}_run r
    left join {ns}_lane e on e.lane = case when r.state = 3 then r.place else r.lane end and e.run_at = r.run_at and e.id = r.id
    where r.id < $1 and ($2::int = 0 or r.task = $2) and ($3::int = 0 or r.lane >> 4 = $3)
        and ($4::int = 0 or r.schedule = $4) and ($5::text = '' or r.key = $5)
) r
where not $6::boolean
    or case when leased then 4 else state end = any($7::smallint[])
    or (2 = any($7::smallint[]) and state <> 0 and not leased and run_at <= $8)
order by id desc limit $9;

-- name: leases_open
select token, ids, fates from {ns}_lease where settled_at = 0;

-- name: dead_letters
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id < $1 and ($2::int = 0 or task = $2) order by id desc limit $3;

-- name: unsuccessful
-- $1 since, $2 behind, $3 how many.
select * from (
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0::bigint as replayed_as
    from {ns}_history
    where state <> 5 and ended_at >= $1 and (ended_at, id) > ($1, $2) order by ended_at, id limit $3
) h
union all
select * from (
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
    from {ns}_dead
    where ended_at >= $1 and (ended_at, id) > ($1, $2) order by ended_at, id limit $3
) d;

-- name: due
-- $1 now (null: read the clock), $2 after, $3 until, $4 how many. Of each lane the first instant in the window that has
-- come (true), and those ahead (false): many runs of one instant cost no more than one.
with recursive moment as (select coalesce($1::bigint, {clock}) as now),
lanes (lane) as (
    select min(l.lane) from {ns}_lane l
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > lanes.lane) from lanes where lanes.lane is not null
),
ahead (lane, at, place) as (
    select lane, (select min(run_at) from {ns}_lane l where l.lane = lanes.lane and run_at > greatest($2, now)), 1
    from lanes, moment where lane is not null
    union all
    select lane, (select min(run_at) from {ns}_lane l where l.lane = ahead.lane and run_at > ahead.at), place + 1
    from ahead where ahead.at <= $3 and ahead.place < $4
)
(select at, lane, false from ahead where at <= $3 order by at limit 16 * $4)
union all
select at, lane, true from (
    select lane, (
        select min(run_at) from {ns}_lane l where l.lane = lanes.lane and run_at > $2 and run_at <= least($3, now)
    ) as at
    from lanes, moment where lane is not null
) overdue where at is not null;

-- name: due_within
-- As `due`, for the virtual buckets $6 to $7 of $5.
with recursive moment as (select coalesce($1::bigint, {clock}) as now),
lanes (lane) as (
    select min(l.lane) from {ns}_lane l
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > lanes.lane) from lanes where lanes.lane is not null
)
(
    select distinct run_at, lane, false from {ns}_lane, moment
    where run_at > greatest($2, now) and run_at <= $3 and (id & 255) % $5 between $6 and $7
    order by run_at limit 16 * $4
)
union all
select at, lane, true from (
    select lane, (
        select run_at from {ns}_lane l
        where l.lane = lanes.lane and run_at > $2 and run_at <= least($3, now) and (id & 255) % $5 between $6 and $7
        order by run_at limit 1
    ) as at
    from lanes, moment where lane is not null
) overdue where at is not null;

-- name: gated
-- $1 now (null: read the clock), $2 after, $3 until, $4 how many, virtual buckets $6 to $7 of $5. Those ahead, and of
-- those whose moment has come the first at each gate. A loose scan: who waits behind the first costs nothing.
with recursive moment as (select coalesce($1::bigint, {clock}) as now),
gates (gate) as (
    select min(g.gate) from {ns}_gated g
    union all
    select (select min(g.gate) from {ns}_gated g where g.gate > gates.gate) from gates where gates.gate is not null
),
found as (
    (
        select id from {ns}_gated, moment
        where run_at > greatest($2, now) and run_at <= $3 and (id & 255) % $5 between $6 and $7
        order by run_at, id limit $4
    )
    union all
    select (
        select id from {ns}_gated g
        where g.gate = gates.gate and run_at > $2 and run_at <= least($3, now) and (id & 255) % $5 between $6 and $7
        order by run_at, id limit 1
    )
    from gates, moment where gate is not null
)
select g.id, r.version, g.gate, g.run_at
from found join {ns}_gated g on g.id = found.id join {ns}_run r on r.id = g.id
order by g.run_at, g.id limit $4;

-- name: gate_waiters
select g.id, r.version, g.gate, g.run_at from {ns}_gated g join {ns}_run r on r.id = g.id
where g.gate = $1 order by g.run_at, g.id limit $2;

-- name: sessions_present
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held
from {ns}_session where not closed and beats order by number;

-- name: sessions_newest
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held
from {ns}_session order by number desc limit $1;

-- name: sessions_left_over
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load,
    closed_at, lease_seconds, died, held
from {ns}_session where closed and number in (
    select session from {ns}_lease where settled_at = 0
    union select number from {ns}_session where id in (select owner from {ns}_bucket)
) order by number;

-- name: held
select count(*) from {ns}_lease where session = (select number from {ns}_session where id = $1) and settled_at = 0;

-- name: buckets
select low, high, owner, epoch from {ns}_bucket order by low;

-- name: counts
-- Rows of (kind, key, count).
with moment as (select coalesce($1::bigint, {clock}) as now)
select 'queue', lane >> 4, count(*) from {ns}_run group by 2
union all select 'eligible', 0, count(*) from {ns}_lane, moment where run_at <= now
union all select 'ahead', 0, count(*) from {ns}_lane, moment where run_at > now
union all select 'waiting', 0, count(*) from {ns}_gated
union all select 'running', 0, coalesce(sum(open), 0) from {ns}_lease where settled_at = 0
union all select 'failed', 0, count(*)
from moment, {ns}_run r join {ns}_lane e on e.lane = r.lane and e.run_at = r.run_at and e.id = r.id
where r.state = 6 and r.run_at > now
union all select 'dead', 0, count(*) from {ns}_dead
union all select 'ended', state, sum(count - dropped) from {ns}_digest
where day in (select day from {ns}_day) and state <> 7 group by state;
