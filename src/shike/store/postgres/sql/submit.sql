-- name: clock
select {clock};

-- name: names_seen
select id, text from {ns}_name where text = any($1::text[]);

-- name: names_give
insert into {ns}_name (text) select unnest($1::text[]) on conflict do nothing returning id, text;

-- name: names_of
select id, text from {ns}_name where id = any($1::int[]);

-- name: runs_arrive
-- alike
-- $1 now (null: read the clock); ids of ended runs are looked for if $2 <= $3, the lowest and the highest new id.
-- A delay >= 0 counts from now. Where `place` is set, due_at and created_at are written into the body there.
-- Answers now, and whether one of the ids belongs to a run that is over: then nothing was stored.
with moment as (select coalesce($1::bigint, {clock}) as now),
sent as (
    select id, coalesce(lane, ($5::int[])[1]) as lane, coalesce(task, ($6::int[])[1]) as task,
        coalesce(schedule, ($7::int[])[1]) as schedule, coalesce(a.moment, ($8::bigint[])[1]) as moment,
        coalesce(holding, ($9::int[])[1]) as holding, coalesce(key, ($10::text[])[1]) as key,
        coalesce(gate, ($11::text[])[1]) as gate, coalesce(run_at, ($12::bigint[])[1]) as run_at,
        coalesce(delay, ($13::bigint[])[1]) as delay, coalesce(due_at, ($14::bigint[])[1]) as due_at,
        coalesce(created_at, ($15::bigint[])[1]) as created_at, coalesce(place, ($16::int[])[1]) as place,
        coalesce(body, ($17::bytea[])[1]) as body
    from unnest(
        $4::bigint[], $5::int[], $6::int[], $7::int[], $8::bigint[], $9::int[], $10::text[], $11::text[],
        $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::int[], $17::bytea[]
    ) as a (id, lane, task, schedule, moment, holding, key, gate, run_at, delay, due_at, created_at, place, body)
),
arriving as materialized (
    select id, lane, task, schedule, sent.moment, holding, key, gate, place, body,
        case when delay >= 0 then now + delay else run_at end as run_at,
        case when delay >= 0 then now + delay else due_at end as due_at,
        case when created_at = 0 then now else created_at end as created_at
    from moment, sent
),
known as materialized (
    select case
        when not exists (select 1 from {ns}_history where id between $2 and $3)
            and not exists (select 1 from {ns}_dead where id between $2 and $3) then false
        else exists (select 1 from {ns}_history where id = any($4::bigint[]))
            or exists (select 1 from {ns}_dead where id = any($4::bigint[]))
    end as over
),
stored as (
    insert into {ns}_run (
        id, state, attempts, lane, run_at, moment, task, schedule, crashes, version, holding, key, cancel, progress, body
    )
    select id, case when gate = '' then 1 else 0 end, 0, lane, run_at, a.moment, task, schedule, 0, 1, holding, key,
        '', '',
        case when place = 0 then body
        else overlay(body placing int8send(due_at) || '\xd3'::bytea || int8send(created_at) from place for 17) end
    from arriving a where not (select over from known)
),
entered as (
    insert into {ns}_lane (run_at, id, lane, task)
    select run_at, id, lane, task from arriving where gate = '' and not (select over from known)
),
waiting as (
    insert into {ns}_gated (id, run_at, gate)
    select id, run_at, gate from arriving where gate <> '' and not (select over from known)
)
select now, (select over from known) from moment;

-- name: runs_known
-- Whether one of these ids, which lie between $2 and $3, belongs to a run that is in the store.
select 1 where exists (select 1 from {ns}_run where id = any($1::bigint[]))
    or exists (select 1 from {ns}_dead where id between $2 and $3 and id = any($1::bigint[]))
    or exists (select 1 from {ns}_history where id between $2 and $3 and id = any($1::bigint[]));

-- name: runs_stored
select id, body from {ns}_run where id = any($1::bigint[])
union all select id, body from {ns}_dead where id = any($1::bigint[])
union all select id, body from {ns}_history where id = any($1::bigint[]);

-- name: gates_lock
insert into {ns}_gate (key) select key from unnest($1::text[]) as g (key) order by key
on conflict (key) do update set key = excluded.key;

-- name: holders_of
select key, run_id from {ns}_holder where key = any($1::text[]) order by place;

-- name: holders_keep
insert into {ns}_holder (key, run_id)
select key, run_id from unnest($1::text[], $2::bigint[]) with ordinality as h (key, run_id, place) order by place
on conflict do nothing;

-- name: keys_lock
insert into {ns}_dedupe (key, run_id, expires_at) select key, 0, 0 from unnest($1::text[]) as k (key) order by key
on conflict (key) do update set key = excluded.key;

-- name: keys_of
select key, run_id, expires_at from {ns}_dedupe where key = any($1::text[]);

-- name: keys_keep
update {ns}_dedupe d set run_id = k.run_id, expires_at = k.expires_at
from unnest($1::text[], $2::bigint[], $3::bigint[]) as k (key, run_id, expires_at) where d.key = k.key;

-- name: letters_lock
select id, replayed_as from {ns}_dead where id = any($1::bigint[]) order by id for update;

-- name: letters_replay
update {ns}_dead d set replayed_as = r.run_id
from unnest($1::bigint[], $2::bigint[]) as r (id, run_id) where d.id = r.id;

-- name: timetable_fates
select t.schedule, t.moment, t.fate
from unnest($1::int[], $2::bigint[]) as m (schedule, moment)
join {ns}_timetable t on t.schedule = m.schedule and t.moment = m.moment;

-- name: timetable_write
insert into {ns}_timetable (schedule, moment, until, count, version, fate, run_id, due_at, state)
select * from unnest(
    $1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::bigint[], $8::bigint[],
    $9::smallint[]
)
on conflict (schedule, moment) do update set
    until = excluded.until, count = excluded.count, version = excluded.version, fate = excluded.fate,
    run_id = excluded.run_id, due_at = excluded.due_at, state = excluded.state;

-- name: place
-- Which tables these are, 0 where there are none; and for people, where they were looked for.
select (select oid::bigint from pg_database where datname = current_database()),
    coalesce(to_regclass('{ns}_session')::oid::bigint, 0),
    'database ' || current_database() || ', search_path ' || current_setting('search_path');
