-- name: leases_lock
-- $1 now (null: read the clock), $2 tokens. Answers now, whether the session is closed, and the lease.
select coalesce($1::bigint, {clock}), s.closed, l.token, s.id, l.session, l.granted_at, l.manner, l.claim, l.ids, l.facts,
    l.fates
from {ns}_lease l join {ns}_session s on s.number = l.session
where l.token = any($2::bigint[]) order by l.token for update of l;

-- name: leases_of_session
select l.token, s.id, l.session, l.granted_at, l.manner, l.claim, l.ids, l.facts, l.fates
from {ns}_lease l join {ns}_session s on s.number = l.session
where l.session = $1 and l.settled_at = 0 order by l.token limit $2 for update of l;

-- name: leases_held
select count(*) from {ns}_lease where session = $1 and settled_at = 0;

-- name: leases_write
update {ns}_lease l set fates = v.fates, open = v.open, settled_at = v.settled_at
from unnest($1::bigint[], $2::bytea[], $3::int[], $4::bigint[]) as v (token, fates, open, settled_at)
where l.token = v.token;

-- name: runs_lock
select id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together, task, holding,
    schedule, place
from {ns}_run where id = any($1::bigint[]) order by id for update;

-- name: runs_end
-- alike
-- $1 now, $2 the session.
with ending as (
    select id, coalesce(state, ($4::smallint[])[1]) as state, coalesce(counted, ($5::smallint[])[1]) as counted,
        coalesce(token, ($6::bigint[])[1]) as token, coalesce(reason, ($7::text[])[1]) as reason,
        coalesce(result, ($8::bytea[])[1]) as result, coalesce(trace, ($9::bytea[])[1]) as trace
    from unnest(
        $3::bigint[], $4::smallint[], $5::smallint[], $6::bigint[], $7::text[], $8::bytea[], $9::bytea[]
    ) as v (id, state, counted, token, reason, result, trace)
),
gone as (
    delete from {ns}_run r using ending e where r.id = e.id
    returning r.id, e.state, (r.attempts + e.counted)::smallint as attempts, e.token, r.task, r.lane, r.schedule,
        r.moment, r.key, e.reason, e.result, e.trace, r.body
)
insert into {ns}_history (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body
)
select id, state, $1, attempts, token, $2, task, lane, schedule, moment, key, reason, result, trace, body
from gone;

-- name: runs_bury
-- alike
-- As `runs_end`, for dead letters.
with ending as (
    select id, coalesce(state, ($4::smallint[])[1]) as state, coalesce(counted, ($5::smallint[])[1]) as counted,
        coalesce(token, ($6::bigint[])[1]) as token, coalesce(reason, ($7::text[])[1]) as reason,
        coalesce(result, ($8::bytea[])[1]) as result, coalesce(trace, ($9::bytea[])[1]) as trace
    from unnest(
        $3::bigint[], $4::smallint[], $5::smallint[], $6::bigint[], $7::text[], $8::bytea[], $9::bytea[]
    ) as v (id, state, counted, token, reason, result, trace)
),
gone as (
    delete from {ns}_run r using ending e where r.id = e.id
    returning r.id, e.state, (r.attempts + e.counted)::smallint as attempts, e.token, r.task, r.lane, r.schedule,
        r.moment, r.key, e.reason, e.result, e.trace, r.body
)
insert into {ns}_dead (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body
)
select id, state, $1, attempts, token, $2, task, lane, schedule, moment, key, reason, result, trace, body
from gone;

-- name: digest_add
insert into {ns}_digest as d (day, task, state, slot, count)
select * from unnest($1::int[], $2::int[], $3::smallint[], $4::smallint[], $5::bigint[])
on conflict (day, task, state, slot) do update set count = d.count + excluded.count;

-- name: leases_end
-- alike
-- $1 now (null: read the clock), $2 the session, $3 the µs of a day, $4 its slot in the digest, and leases: $5 tokens, $6
-- fates as they should be, $7 as they become, $8 how many runs stay open; then the runs that end. All or nothing: where
-- a lease is not as it should be, or the session is closed, it gives up by dividing by zero. (`+ 0`: found by its token,
-- not among all that the session ever had.)
with moment as (select coalesce($1::bigint, {clock}) as now),
expected as (
    select * from unnest($5::bigint[], $6::bytea[], $7::bytea[], $8::int[]) as v (token, old, new, open)
),
changed as (
    update {ns}_lease l set fates = e.new, open = e.open, settled_at = case when e.open = 0 then now else 0 end
    from expected e, moment
    where l.token = e.token and l.fates = e.old
        and l.session + 0 = (select number from {ns}_session where id = $2 and not closed)
    returning l.token
),
sure as materialized (
    select 1 / (case when count(*) = cardinality($5::bigint[]) then 1 else 0 end) as yes from changed
),
ending as (
    select id, coalesce(state, ($10::smallint[])[1]) as state, coalesce(counted, ($11::smallint[])[1]) as counted,
        coalesce(token, ($12::bigint[])[1]) as token, coalesce(reason, ($13::text[])[1]) as reason,
        coalesce(result, ($14::bytea[])[1]) as result, coalesce(trace, ($15::bytea[])[1]) as trace
    from unnest(
        $9::bigint[], $10::smallint[], $11::smallint[], $12::bigint[], $13::text[], $14::bytea[], $15::bytea[]
    ) as v (id, state, counted, token, reason, result, trace)
),
gone as (
    delete from {ns}_run r using ending e where r.id = e.id and (select yes from sure) = 1
    returning r.id, e.state, (r.attempts + e.counted)::smallint as attempts, e.token, r.task, r.lane, r.schedule,
        r.moment, r.key, e.reason, e.result, e.trace, r.body
),
over as (
    insert into {ns}_history (
        id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body
    )
    select id, state, now, attempts, token, $2, task, lane, schedule, g.moment, key, reason, result, trace, body
    from gone g, moment where state <> 7
),
dead as (
    insert into {ns}_dead (
        id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body
    )
    select id, state, now, attempts, token, $2, task, lane, schedule, g.moment, key, reason, result, trace, body
    from gone g, moment where state = 7
)
insert into {ns}_digest as d (day, task, state, slot, count)
select (now / $3::bigint)::int, task, state, $4, count(*) from gone, moment group by 1, 2, 3 order by 2, 3
on conflict (day, task, state, slot) do update set count = d.count + excluded.count;

-- name: runs_return
with back as (
    select * from unnest($1::bigint[], $2::smallint[], $3::int[], $4::bigint[], $5::smallint[], $6::int[], $7::int[])
        as v (id, state, lane, run_at, attempts, crashes, together)
),
changed as (
    update {ns}_run r set
        state = v.state, lane = v.lane, run_at = v.run_at, attempts = v.attempts, crashes = v.crashes,
        together = v.together, version = r.version + 1, progress = ''
    from back v where r.id = v.id
    returning r.id, r.lane, r.run_at, r.task
)
insert into {ns}_lane (lane, run_at, id, task) select lane, run_at, id, task from changed;

-- name: runs_over
select id, token, session, state from {ns}_dead where id = any($1::bigint[])
union all select id, token, session, state from {ns}_history where id = any($1::bigint[]);

-- name: runs_alive
select id from {ns}_run where id = any($1::bigint[]);

-- name: attempts_write
insert into {ns}_attempt (run_id, token, body) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[])
on conflict (run_id, token) do update set body = excluded.body;

-- name: attempts_trim
-- A run may be snoozed for ever: only its youngest attempts are kept.
delete from {ns}_attempt a where a.run_id = any($1::bigint[]) and a.token <= (
    select b.token from {ns}_attempt b where b.run_id = a.run_id order by b.token desc limit 1 offset $2
);

-- name: lanes_lock
select l.id from unnest($1::int[], $2::bigint[], $3::bigint[]) as v (lane, run_at, id)
join {ns}_lane l on l.lane = v.lane and l.run_at = v.run_at and l.id = v.id
order by l.id for update of l;

-- name: lanes_leave
delete from {ns}_lane l using unnest($1::int[], $2::bigint[], $3::bigint[]) as v (lane, run_at, id)
where l.lane = v.lane and l.run_at = v.run_at and l.id = v.id;

-- name: gated_leave
delete from {ns}_gated where id = any($1::bigint[]);

-- name: runs_move
with changed as (
    update {ns}_run r set state = 1, lane = v.lane, run_at = v.run_at, holding = v.holding, version = r.version + 1
    from unnest($1::bigint[], $2::int[], $3::bigint[], $4::int[]) as v (id, lane, run_at, holding)
    where r.id = v.id
    returning r.id, r.lane, r.run_at, r.task
)
insert into {ns}_lane (lane, run_at, id, task) select lane, run_at, id, task from changed;

-- name: lane_move
-- $1 now (null: read the clock), $2 the run, $3 the version that was seen (0: any), $4 its run_at and $5 its band, or null
-- for those it has. One run that stands in its lane takes another place; no row: it is not so, and nothing was done.
with moment as (select coalesce($1::bigint, {clock}) as now),
seen as materialized (
    select id, lane, run_at from {ns}_run
    where id = $2 and state in (1, 6) and ($3::int = 0 or version = $3::int) for update
),
gone as (
    delete from {ns}_lane l using seen s where l.lane = s.lane and l.run_at = s.run_at and l.id = s.id returning l.id
),
changed as (
    update {ns}_run r
    set state = 1, lane = s.lane - (s.lane & 7) + coalesce($5::int, s.lane & 7),
        run_at = coalesce($4::bigint, s.run_at), version = r.version + 1
    from seen s, gone g where r.id = s.id and g.id = s.id
    returning r.id, r.lane, r.run_at, r.task
),
put as (
    insert into {ns}_lane (lane, run_at, id, task) select lane, run_at, id, task from changed returning lane, run_at
)
select lane, run_at, now from put, moment;

-- name: runs_wait
-- They stay before their gates.
with changed as (
    update {ns}_run r set lane = v.lane, run_at = v.run_at, version = r.version + 1
    from unnest($1::bigint[], $2::int[], $3::bigint[]) as v (id, lane, run_at) where r.id = v.id
    returning r.id, r.run_at
)
update {ns}_gated g set run_at = changed.run_at from changed where g.id = changed.id;

-- name: runs_gate
-- Before another gate than the one that they left, or out of a lane.
with changed as (
    update {ns}_run r set state = 0, lane = v.lane, run_at = v.run_at, body = v.body, version = r.version + 1
    from unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[], $5::bytea[]) as v (id, lane, run_at, gate, body)
    where r.id = v.id returning r.id, r.run_at, v.gate
)
insert into {ns}_gated (id, run_at, gate) select id, run_at, gate from changed;

-- name: runs_rewrite
update {ns}_run r set body = v.body from unnest($1::bigint[], $2::bytea[]) as v (id, body) where r.id = v.id;

-- name: runs_ask
update {ns}_run r set cancel = v.cancel, version = r.version + 1
from unnest($1::bigint[], $2::text[]) as v (id, cancel) where r.id = v.id;
