-- name: session_number
select number from {ns}_session where id = ?;

-- name: sessions_present
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at,
    lease_seconds, died, held
from {ns}_session where expires_at > 0 and closed = 0 order by number;

-- name: sessions_newest
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at,
    lease_seconds, died, held
from {ns}_session order by number desc limit ?;

-- name: sessions_left_over
select id, number, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at,
    lease_seconds, died, held
from {ns}_session where closed = 1 and number in (
    select session from {ns}_lease where open > 0
    union select number from {ns}_session where id in (select owner from {ns}_bucket)
) order by number;

-- name: leases_held
select count(*) from {ns}_lease where session = ? and open > 0;

-- name: leases_with
-- Open leases that may hold a run: its bytes stand in their ids.
select token, ids, fates from {ns}_lease where open > 0 and instr(ids, ?);

-- name: attempts_of
select body from {ns}_attempt where run_id = ? order by token;

-- name: runs_live
select
    r.id, r.state, r.lane, r.run_at, r.attempts, r.crashes, r.version, r.cancel, r.progress, r.body,
    r.together, r.task, r.holding, r.schedule,
    exists (select 1 from {ns}_lane l where l.lane = iif(r.state = 3, r.place, r.lane) and l.run_at = r.run_at and l.id = r.id),
    r.place
from {ns}_run r
where r.id < ? and (? = 0 or r.task = ?) and (? = 0 or r.lane >> 4 = ?) and (? = 0 or r.schedule = ?)
    and (? = '' or r.key = ?)
order by r.id desc;

-- name: runs_history
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history_{day}
where id < ? and (? = 0 or task = ?) and (? = 0 or lane >> 4 = ?) and (? = 0 or schedule = ?) and (? = '' or key = ?)
    and (? = '[]' or state in (select value from json_each(?)))
order by id desc limit ?;

-- name: runs_dead
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id < ? and (? = 0 or task = ?) and (? = 0 or lane >> 4 = ?) and (? = 0 or schedule = ?) and (? = '' or key = ?)
    and (? = '[]' or state in (select value from json_each(?)))
order by id desc limit ?;

-- name: lanes_all
with recursive found(lane) as (
    select min(lane) from {ns}_lane
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane) from found where found.lane is not null
)
select lane from found where lane is not null;

-- name: lane_instants
-- The distinct run_at of a lane in a window: many runs of one instant cost no more than one.
with recursive found(at) as (
    select (select min(run_at) from {ns}_lane where lane = ? and run_at > ?)
    union all
    select (select min(l.run_at) from {ns}_lane l where l.lane = ? and l.run_at > found.at)
    from found where found.at <= ?
)
select at from found where at <= ? limit ?;

-- name: lane_instants_within
select distinct run_at from {ns}_lane
where lane = ? and run_at > ? and run_at <= ? and (id & 255) % ? between ? and ? order by run_at limit ?;

-- name: gated
select g.id, r.version, g.gate, g.run_at from {ns}_gated g join {ns}_run r on r.id = g.id
where g.run_at > ? and g.run_at <= ? and (g.id & 255) % ? between ? and ? order by g.run_at, g.id limit ?;

-- name: gates_overdue
-- The first run in a window at each gate. A loose scan over gates: who waits behind the first costs nothing.
with recursive found(gate) as (
    select min(gate) from {ns}_gated
    union all
    select (select min(g.gate) from {ns}_gated g where g.gate > found.gate) from found where found.gate is not null
)
select g.id, r.version, g.gate, g.run_at
from found join {ns}_gated g on g.id = (
    select id from {ns}_gated f
    where f.gate = found.gate and f.run_at > ? and f.run_at <= ? and (f.id & 255) % ? between ? and ?
    order by f.run_at, f.id limit 1
) join {ns}_run r on r.id = g.id
order by g.run_at, g.id limit ?;

-- name: gate_waiters
select g.id, r.version, g.gate, g.run_at from {ns}_gated g join {ns}_run r on r.id = g.id
where g.gate = ? order by g.run_at, g.id limit ?;

-- name: holders
select run_id from {ns}_holder where key = ? order by place;

-- name: buckets
select low, high, owner, epoch from {ns}_bucket order by low;

-- name: dead_letters
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id < ? and (? = 0 or task = ?) order by id desc limit ?;

-- name: counts_lane
select
    (select count(*) from {ns}_lane where lane = ? and run_at <= ?),
    (select count(*) from {ns}_lane where lane = ? and run_at > ?);

-- name: counts_failed
-- Those that wait for their next attempt: in a lane, not leased.
select count(*) from {ns}_run r
where state = 6 and run_at > ?
    and exists (select 1 from {ns}_lane l where l.lane = r.lane and l.run_at = r.run_at and l.id = r.id);

-- name: counts_gated
select r.lane >> 4, count(*) from {ns}_gated g join {ns}_run r on r.id = g.id group by 1;

-- name: leases_all_open
select token, ids, fates from {ns}_lease where open > 0;

-- name: counts_queue
select lane >> 4, count(*) from {ns}_run where id in (select value from json_each(?)) group by 1;

-- name: counts_ended
select state, sum(count - dropped) from {ns}_digest
where day in (select day from {ns}_day) and state <> 7 group by state;

-- name: counts_dead
select count(*) from {ns}_dead;
