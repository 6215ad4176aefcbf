-- name: run_live
-- Where the run is in no lane and before no gate: the open leases whose ids hold its 8 bytes, $2, wherever they begin.
select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body,
    r.together, r.task, r.holding, r.schedule, l.token, l.ids, l.fates, r.place
from {ns}_run r
left join {ns}_lane e on e.lane = if(r.state = 3, r.place, r.lane) and e.run_at = r.run_at and e.id = r.id
left join {ns}_lease l on r.state <> 0 and e.id is null and l.settled_at = 0 and locate($2, l.ids) > 0
where r.id = $1;

-- name: run_ended
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
from {ns}_dead where id = $1
union all
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0
from {ns}_history where id = $1;

-- name: over_of_runs
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
from {ns}_dead where id in $1
union all
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0
from {ns}_history where id in $1;

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
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 as replayed_as
    from {ns}_history
    where id < $1 and ($2 = 0 or task = $2) and ($3 = 0 or lane >> 4 = $3) and ($4 = 0 or schedule = $4)
        and ($5 = '' or `key` = $5) and (not $6 or state in $7)
    order by id desc limit $8
) h
union all
select * from (
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as
    from {ns}_dead
    where id < $1 and ($2 = 0 or task = $2) and ($3 = 0 or lane >> 4 = $3) and ($4 = 0 or schedule = $4)
        and ($5 = '' or `key` = $5) and (not $6 or state in $7)
    order by id desc limit $8
) d;

-- name: runs_live
-- $1 before, $2 task, $3 queue, $4 schedule, $5 key, $6 whether only these states: $7; $8 now, $9 how many. The last
-- column says whether a lease holds the run. PENDING (2) is a predicate: in a lane, and eligible.
select * from (
    select r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body,
        r.together, r.task, r.holding, r.schedule, r.state <> 0 and e.id is null as leased, r.place
    from {ns}_run r
    left join {ns}_lane e on e.lane = if(r.state = 3, r.place, r.lane) and e.run_at = r.run_at and e.id = r.id
    where r.id < $1 and ($2 = 0 or r.task = $2) and ($3 = 0 or r.lane >> 4 = $3)
        and ($4 = 0 or r.schedule = $4) and ($5 = '' or r.`key` = $5)
) r
where not $6
    or if(leased, 4, state) in $7
    or (2 in $7 and state <> 0 and not leased and run_at <= $8)
order by id desc limit $9;

-- name: leases_open
select token, ids, fates from {ns}_lease where settled_at = 0;

-- name: dead_letters
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id < $1 and ($2 = 0 or task = $2) order by id desc limit $3;

-- name: unsuccessful
-- $1 since, $2 behind, $3 how many: cancelled, skipped, and the dead letters.
(
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 as replayed_as
    from {ns}_history force index ({ns}_history_other_index)
    where state = 8 and ended_at >= $1 and (ended_at > $1 or id > $2) order by ended_at, id limit $3
)
union all
(
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 as replayed_as
    from {ns}_history force index ({ns}_history_other_index)
    where state = 9 and ended_at >= $1 and (ended_at > $1 or id > $2) order by ended_at, id limit $3
)
union all
(
    select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
    where ended_at >= $1 and (ended_at > $1 or id > $2) order by ended_at, id limit $3
);

-- name: due
-- $1 now (null: read the clock), $2 after, $3 until, $4 how many. Of each lane the first instant in the window that has
-- come (1), and those ahead (0). Put together lane by lane, as `claim_look`.
set @now = coalesce($1, {clock});
set @look = (
    select group_concat(
        '(select run_at, lane, 0 from {ns}_lane where lane = ', lane, ' and run_at > ', greatest($2, @now),
        ' and run_at <= ', $3, ' group by run_at, lane order by run_at limit ', $4,
        ') union all (select run_at, lane, 1 from {ns}_lane where lane = ', lane, ' and run_at > ', $2,
        ' and run_at <= ', least($3, @now), ' order by run_at limit 1)'
        separator ' union all '
    ) from {ns}_laid
);
set @look = coalesce(@look, 'select 1 from dual where false');
prepare shike_look from @look;
execute shike_look;
deallocate prepare shike_look;

-- name: due_within
-- As `due`, for the virtual buckets $6 to $7 of $5.
set @now = coalesce($1, {clock});
set @look = (
    select group_concat(
        '(select run_at, lane, 0 from {ns}_lane where lane = ', lane, ' and run_at > ', greatest($2, @now),
        ' and run_at <= ', $3, ' and (id & 255) % $5 between $6 and $7 group by run_at, lane order by run_at limit ',
        $4, ') union all (select run_at, lane, 1 from {ns}_lane where lane = ', lane, ' and run_at > ', $2,
        ' and run_at <= ', least($3, @now), ' and (id & 255) % $5 between $6 and $7 order by run_at limit 1)'
        separator ' union all '
    ) from {ns}_laid
);
set @look = coalesce(@look, 'select 1 from dual where false');
prepare shike_look from @look;
execute shike_look;
deallocate prepare shike_look;

-- name: gated
-- $1 now (null: read the clock), $2 after, $3 until, $4 how many, virtual buckets $6 to $7 of $5. Those ahead, and of
-- those whose moment has come the first at each gate.
set @now = coalesce($1, {clock});
select g.id, r.version, g.gate, g.run_at
from (
    (
        select id from {ns}_gated
        where run_at > greatest($2, @now) and run_at <= $3 and (id & 255) % $5 between $6 and $7
        order by run_at, id limit $4
    )
    union all
    select (
        select id from {ns}_gated g
        where g.gate = gates.gate and run_at > $2 and (id & 255) % $5 between $6 and $7
        order by run_at, id limit 1
    )
    from (select gate from {ns}_gated group by gate) gates
) found join {ns}_gated g on g.id = found.id join {ns}_run r on r.id = g.id
where g.run_at <= $3
group by g.id, r.version, g.gate, g.run_at
order by g.run_at, g.id limit $4;

-- name: gate_waiters
select g.id, r.version, g.gate, g.run_at from {ns}_gated g join {ns}_run r on r.id = g.id
where g.gate = $1 order by g.run_at, g.id limit $2;

-- name: sessions_present
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session where closed = 0 and beats = 1 order by number;

-- name: sessions_newest
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session order by number desc limit $1;

-- name: sessions_left_over
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, `load`,
    closed_at, lease_seconds, died, held
from {ns}_session where closed = 1 and number in (
    select session from {ns}_lease where settled_at = 0
    union select s.number from {ns}_bucket b join {ns}_session s on s.id = b.owner
) order by number;

-- name: held
select count(*) from {ns}_lease where session = (select number from {ns}_session where id = $1) and settled_at = 0;

-- name: buckets
select low, high, owner, epoch from {ns}_bucket order by low;

-- name: counts
-- Rows of (kind, key, count).
set @now = coalesce($1, {clock});
select 'queue', lane >> 4, count(*) from {ns}_run group by lane >> 4
union all select 'eligible', 0, count(*) from {ns}_lane where run_at <= @now
union all select 'ahead', 0, count(*) from {ns}_lane where run_at > @now
union all select 'waiting', 0, count(*) from {ns}_gated
union all select 'running', 0, coalesce(sum(open), 0) from {ns}_lease where settled_at = 0
union all select 'failed', 0, count(*)
from {ns}_run r join {ns}_lane e on e.lane = r.lane and e.run_at = r.run_at and e.id = r.id
where r.state = 6 and r.run_at > @now
union all select 'dead', 0, count(*) from {ns}_dead
union all select 'ended', state, sum(count - dropped) from {ns}_digest
where day in (select day from {ns}_day) and state <> 7 group by state;
