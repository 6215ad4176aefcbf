-- name: claim_look
-- $1 now (null: read the clock), $2 the session; of the wanted queues, $3 to $4 the lanes, in stretches, and $5 those that
-- are read from a floor on, $6 its run_at and $7 its id. Answers now, the session (nulls where there is none) and, in a
-- row each, the lanes that hold something: their first run_at, and their first ahead of now; in each the control rows of what is paused.
-- A loose scan: it looks at each lane, not at the runs in it. A paused queue has no lanes here.
with recursive moment as (select coalesce($1::bigint, {clock}) as now),
open as (
    select n.id as queue from {ns}_name n
    where n.id in (select low >> 4 from unnest($3::int[] || $5::int[]) as w (low))
        and not exists (select 1 from {ns}_control c where c.key = 'queue/' || split_part(n.text, '>', 1))
),
found (lane, high) as (
    select (select min(l.lane) from {ns}_lane l where l.lane between low and top), top
    from unnest($3::int[], $4::int[]) as w (low, top) where low >> 4 in (select queue from open)
    union all
    select (select min(l.lane) from {ns}_lane l where l.lane > found.lane and l.lane <= high), high
    from found where found.lane is not null
),
head (lane, first) as (
    select lane, (select min(l.run_at) from {ns}_lane l where l.lane = found.lane) from found where lane is not null
    union all
    select lane, (
        select l.run_at from {ns}_lane l
        where l.lane = f.lane and (l.run_at, l.id) >= (f.run_at, f.id) order by l.run_at, l.id limit 1
    )
    from unnest($5::int[], $6::bigint[], $7::bigint[]) as f (lane, run_at, id)
    where lane >> 4 in (select queue from open)
)
select now, s.number, s.closed, s.expires_at, s.claimed, s.reason, head.lane, head.first,
    (select min(l.run_at) from {ns}_lane l where l.lane = head.lane and l.run_at > now),
    (select array_agg(c.key) from {ns}_control c where c.key >= 'pause/' and c.key < 'pause0')
from moment
left join {ns}_session s on s.id = $2
left join head on head.lane is not null;

-- name: lane_take
-- The first $4 runs of lane $1 from ($5, $6) on that are eligible at $2 and of the tasks $3 leave it, but for those that
-- somebody else is taking. An entry never changes and is locked here, so its place in the table is as good as its key. Their columns in
-- order, and (in a column of one) whether the lane has more of them, behind the last.
with picked as materialized (
    select ctid as place, run_at, id, task from {ns}_lane
    where lane = $1 and run_at <= $2 and (run_at, id) >= ($5, $6) and task = any($3::int[])
    order by run_at, id limit $4 for update skip locked
),
last as materialized (select run_at, id from picked order by run_at desc, id desc limit 1),
gone as (
    delete from {ns}_lane l using picked p where l.ctid = p.place
)
select array_agg(id), array_agg(run_at), array_agg(attempts), array_agg(crashes), array_agg(together), array_agg(fact),
    array_agg(body),
    array[exists (
        select 1 from {ns}_lane l
        where l.lane = $1 and l.run_at <= $2 and l.task = any($3::int[])
            and (l.run_at, l.id) > ((select run_at from last), (select id from last))
    )]
from (
    select p.id, p.run_at, r.attempts::int, r.crashes, r.together, (p.task << 1) | (r.holding > 0)::int as fact, r.body
    from picked p join {ns}_run r on r.id = p.id
    order by p.run_at, p.id
) t;

-- name: lane_grant
-- As `lane_take` and `lease_grant`, in one: $1 now (null: read the clock), $2 the session, $3 its claim, $4 the instant
-- of the claim, $5 the lane, $6 tasks, $7 how many, ($8, $9) from where on. Where the session may not have them, they stay. One more column: the
-- token.
with picked as materialized (
    select ctid as place, run_at, id, task from {ns}_lane
    where lane = $5 and run_at <= $4 and (run_at, id) >= ($8, $9) and task = any($6::int[])
    order by run_at, id limit $7 for update skip locked
),
last as materialized (select run_at, id from picked order by run_at desc, id desc limit 1),
holder as materialized (
    update {ns}_session set claimed = $3
    where number = $2 and not closed and expires_at >= coalesce($1::bigint, {clock}) and claimed < $3
        and exists (select 1 from picked)
    returning number
),
gone as (
    delete from {ns}_lane l using picked p where l.ctid = p.place and exists (select 1 from holder)
),
granted as materialized (
    select p.id, p.run_at, r.attempts::int, r.crashes, r.together, (p.task << 1) | (r.holding > 0)::int as fact, r.body
    from picked p join {ns}_run r on r.id = p.id
    order by p.run_at, p.id
),
lease as (
    insert into {ns}_lease (session, claim, granted_at, settled_at, manner, open, ids, facts, fates)
    select number, $3, $4, 0, 0, count, ids, facts, decode(repeat('ff', count), 'hex')
    from holder, (
        select count(*)::int as count, string_agg(int8send(id), '') as ids, string_agg(int4send(fact), '') as facts
        from granted
    ) g
    returning token
)
select array_agg(id), array_agg(run_at), array_agg(attempts), array_agg(crashes), array_agg(together), array_agg(fact),
    array_agg(body),
    array[exists (
        select 1 from {ns}_lane l
        where l.lane = $5 and l.run_at <= $4 and l.task = any($6::int[])
            and (l.run_at, l.id) > ((select run_at from last), (select id from last))
    )],
    array[(select token from lease)]
from granted;

-- name: lanes_back
insert into {ns}_lane (lane, run_at, id, task)
select * from unnest($1::int[], $2::bigint[], $3::bigint[], $4::int[]) as v (lane, run_at, id, task);

-- name: suspects_lock
-- The first $4 suspects of lane $1, but for those that somebody else is taking; nobody takes these until we have.
select l.id, l.run_at, r.attempts, r.crashes, r.together, (l.task << 1) | (r.holding > 0)::int, r.body
from {ns}_lane l join {ns}_run r on r.id = l.id
where l.lane = $1 and l.run_at <= $2 and l.task = any($3::int[])
order by l.run_at, l.id limit $4 for update of l skip locked;

-- name: lanes_have
select 1 from unnest($1::int[]) as w (lane)
where exists (select 1 from {ns}_lane l where l.lane = w.lane and l.run_at <= $2 and l.task = any($3::int[])) limit 1;

-- name: lease_grant
-- Unless the session was closed, let its lease run out, or had this claim meanwhile.
with holder as (
    update {ns}_session set claimed = $3
    where number = $2 and not closed and expires_at >= coalesce($1::bigint, {clock}) and claimed < $3
    returning number
)
insert into {ns}_lease (session, claim, granted_at, settled_at, manner, open, ids, facts, fates)
select number, $3, $4, 0, $5, $6, $7, $8, $9 from holder
returning token;

-- name: lease_of_claim
select token, manner, ids, fates from {ns}_lease where session = $1 and claim = $2;

-- name: runs_leased
select id, body, attempts, run_at, crashes, together from {ns}_run where id = any($1::bigint[]);
