-- name: session_state
select number, closed, expires_at, claimed, reason from {ns}_session where id = ?;

-- name: lanes_of
-- The lanes of the wanted queues: their first run_at, and their first run_at ahead of now. A loose scan: it looks at
-- each lane that holds something, not at the runs in it. A paused queue has no lanes here.
with recursive
wanted(low) as (
    select n.id << 4 from json_each(?) q join {ns}_name n on n.text = q.value
    where not exists (
        select 1 from {ns}_control where key = 'queue/' || substr(q.value, 1, instr(q.value || '>', '>') - 1)
    )
),
found(lane, high) as (
    select (select min(lane) from {ns}_lane where lane between low and low + 15), low + 15 from wanted
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane and l.lane <= high), high
    from found where found.lane is not null
)
select
    lane,
    (select min(run_at) from {ns}_lane l where l.lane = found.lane),
    (select min(run_at) from {ns}_lane l where l.lane = found.lane and run_at > ?)
from found where lane is not null;

-- name: pauses
select key from {ns}_control where key >= ? and key < ?;

-- name: lane_first
-- Everything a grant needs, in one row; the bodies stand one behind the other.
select
    count(*),
    group_concat(id),
    group_concat(run_at),
    group_concat(attempts),
    group_concat(crashes),
    group_concat(together),
    group_concat(fact),
    cast(group_concat(body, '') as blob)
from (
    select l.id, l.run_at, r.attempts, r.crashes, r.together, (l.task << 1) | (r.holding > 0) as fact, r.body
    from {ns}_lane l cross join {ns}_run r on r.id = l.id
    where l.lane = ? and l.run_at <= ? and l.task in (select value from json_each(?))
    order by l.run_at, l.id
    limit ?
);

-- name: suspects_first
-- How many each of the first suspects of a lane goes out together with.
select r.together from {ns}_lane l cross join {ns}_run r on r.id = l.id
where l.lane = ? and l.run_at <= ? and l.task in (select value from json_each(?))
order by l.run_at, l.id
limit ?;

-- name: lane_take
delete from {ns}_lane
where lane = ? and (run_at, id) <= (?, ?) and task in (select value from json_each(?));

-- name: lane_has
select 1 from {ns}_lane
where lane = ? and run_at <= ? and task in (select value from json_each(?)) limit 1;

-- name: lease_grant
insert into {ns}_lease (session, claim, granted_at, settled_at, solo, open, ids, facts, fates)
values (?, ?, ?, 0, ?, ?, ?, ?, ?);

-- name: session_claimed
update {ns}_session set claimed = ? where number = ?;

-- name: lease_of_claim
select token, solo, ids, fates from {ns}_lease where session = ? and claim = ?;

-- name: runs_leased
select id, body, attempts, run_at, crashes, together from {ns}_run where id in (select value from json_each(?));
