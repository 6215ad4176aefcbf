-- Everything as records (`shike.store.records`), page by page: the place to go on behind, then the limit.

-- name: read_schedules
select cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where text > $1 order by text limit $2;

-- name: read_versions
select v.since, coalesce(v.until, 0), v.until is null, v.ordinal, v.edited_at, v.body
from {ns}_version v join {ns}_name n on n.id = v.name
where (n.text, v.version) > ($1, $2::bigint) order by n.text, v.version limit $3;

-- name: read_timetable
select n.text, t.version, t.moment, t.until, t.count, t.fate, t.run_id, t.due_at, t.state
from {ns}_name n join {ns}_timetable t on t.schedule = n.id
where n.text >= $1 and (n.text, t.moment) > ($1, $2) order by n.text, t.moment limit $3;

-- name: read_controls
select key, value, version from {ns}_control where key > $1 and key <> 'store/move' order by key limit $2;

-- name: read_keys
-- Where no run is named, the row was only locked.
select key, run_id, expires_at from {ns}_dedupe where key > $1 and run_id > 0 order by key limit $2;

-- name: read_runs
select id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together
from {ns}_run where id > $1 order by id limit $2;

-- name: read_permits
select key from {ns}_holder where key > $1 group by key order by key limit $2;

-- name: read_attempts
select run_id, token, body from {ns}_attempt where (run_id, token) > ($1, $2) order by run_id, token limit $3;

-- name: read_ended
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history
where id > $1 and ended_at >= $2 and ended_at < $3 order by id limit $4;

-- name: read_dead
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id > $1 order by id limit $2;

-- name: read_digests
select d.day, n.text, d.state, sum(d.count)::bigint from {ns}_digest d join {ns}_name n on n.id = d.task
where (d.day, n.text, d.state) > ($1::bigint, $2, $3::bigint)
group by d.day, n.text, d.state having sum(d.count) > 0 order by d.day, n.text, d.state limit $4;

-- name: read_buckets
select low, high, epoch from {ns}_bucket where low > $1::bigint order by low limit $2;

-- name: read_marks
select
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('{ns}_session', 'number')::regclass), 0),
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('{ns}_lease', 'token')::regclass), 0);

-- name: unload_versions
delete from {ns}_version v using unnest($1::int[], $2::int[]) as k (name, version)
where v.name = k.name and v.version = k.version;

-- name: load_versions
insert into {ns}_version (name, version, since, until, ordinal, edited_at, body)
select * from unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[]);

-- name: load_controls
insert into {ns}_control as c (key, value, version) select * from unnest($1::text[], $2::bytea[], $3::bigint[])
on conflict (key) do update set value = excluded.value, version = excluded.version;

-- name: load_keys
insert into {ns}_dedupe (key, run_id, expires_at) select * from unnest($1::text[], $2::bigint[], $3::bigint[])
on conflict (key) do update set run_id = excluded.run_id, expires_at = excluded.expires_at;

-- name: unload_runs
with rows as (delete from {ns}_run where id = any($1::bigint[]) returning id, lane, run_at),
lanes as (delete from {ns}_lane l using rows r where l.lane = r.lane and l.run_at = r.run_at and l.id = r.id)
delete from {ns}_gated g using rows r where g.id = r.id;

-- name: load_runs
with arriving as materialized (
    select * from unnest(
        $1::bigint[], $2::smallint[], $3::int[], $4::bigint[], $5::int[], $6::int[], $7::bigint[], $8::smallint[],
        $9::int[], $10::int[], $11::text[], $12::text[], $13::bytea[], $14::bytea[], $15::int[], $16::text[]
    ) as a (
        id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, key, cancel, progress, body,
        together, gate
    )
),
stored as (
    insert into {ns}_run (
        id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, holding, key, cancel, progress,
        body, together
    )
    select id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, 0, key, cancel, progress, body,
        together
    from arriving
),
waiting as (
    insert into {ns}_gated (id, run_at, gate) select id, run_at, gate from arriving where state = 0
)
insert into {ns}_lane (run_at, id, lane, task) select run_at, id, lane, task from arriving where state <> 0;

-- name: load_attempts
insert into {ns}_attempt (run_id, token, body) select * from unnest($1::bigint[], $2::bigint[], $3::bytea[])
on conflict (run_id, token) do update set body = excluded.body;

-- name: unload_ended
delete from {ns}_history where id = any($1::bigint[]);

-- name: load_ended
insert into {ns}_history (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body
)
select * from unnest(
    $1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::text[], $7::int[], $8::int[],
    $9::int[], $10::bigint[], $11::text[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[]
);

-- name: load_dead
insert into {ns}_dead (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body,
    replayed_as
)
select * from unnest(
    $1::bigint[], $2::smallint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::text[], $7::int[], $8::int[],
    $9::int[], $10::bigint[], $11::text[], $12::text[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bigint[]
);

-- name: unload_digests
delete from {ns}_digest d using unnest($1::int[], $2::int[], $3::smallint[]) as k (day, task, state)
where d.day = k.day and d.task = k.task and d.state = k.state;

-- name: load_digests
insert into {ns}_digest (day, task, state, slot, count)
select day, task, state, 0, count
from unnest($1::int[], $2::int[], $3::smallint[], $4::bigint[]) as d (day, task, state, count);

-- name: unload_buckets
delete from {ns}_bucket;

-- name: load_buckets
insert into {ns}_bucket (low, high, owner, epoch)
select low, high, '', epoch from unnest($1::int[], $2::int[], $3::bigint[]) as b (low, high, epoch);

-- name: load_sessions_mark
select setval(pg_get_serial_sequence('{ns}_session', 'number'), greatest($1::bigint, coalesce(
    pg_sequence_last_value(pg_get_serial_sequence('{ns}_session', 'number')::regclass), 0))) where $1::bigint > 0;

-- name: load_tokens_mark
select setval(pg_get_serial_sequence('{ns}_lease', 'token'), greatest($1::bigint, coalesce(
    pg_sequence_last_value(pg_get_serial_sequence('{ns}_lease', 'token')::regclass), 0))) where $1::bigint > 0;

-- name: load_holding
-- Each run knows how many permits it holds.
update {ns}_run r set holding = case when r.holding >= 65536 then 65536 else 0 end + h.count
from (select run_id, count(*)::int as count from {ns}_holder group by run_id) h where r.id = h.run_id;

-- name: load_dropped
-- What is counted and is not here any more. $1: the µs of a day.
update {ns}_digest d set dropped = d.count - (
    select count(*) from {ns}_history h
    where h.ended_at >= d.day * $1::bigint and h.ended_at < (d.day + 1) * $1::bigint
        and h.task = d.task and h.state = d.state
)
where d.state <> 7;

-- name: restrict_mark
insert into {ns}_control (key, value, version) values ('store/move', $1, 1)
on conflict (key) do update set value = excluded.value;

-- name: restrict_lift
do $$
declare
    stray record;
begin
    for stray in
        select t.tgname, c.relname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where starts_with(t.tgname, '{ns}_move_') and c.relnamespace = to_regnamespace(current_schema())
    loop
        execute format('drop trigger %I on %I', stray.tgname, stray.relname);
    end loop;
end $$;

-- name: restrict_words
-- What the triggers of a phase do: refuse, and tell the marker. The marker's own row may change.
create or replace function {ns}_move() returns trigger language plpgsql as $$
begin
    if tg_table_name = '{ns}_control' then
        if tg_op = 'DELETE' then
            if old.key = 'store/move' then return old; end if;
        elsif new.key = 'store/move' then
            return new;
        end if;
    end if;
    raise exception using errcode = 'SHK01',
        message = (select convert_from(value, 'UTF8') from {ns}_control where key = 'store/move');
end $$;

-- name: restrict_draining
do $$
begin
    execute 'create trigger {ns}_move_grant before insert on {ns}_lease for each row execute function {ns}_move()';
exception when duplicate_object then null;
end $$;

-- name: restrict_joining
do $$
begin
    execute 'create trigger {ns}_move_join before insert on {ns}_session for each row execute function {ns}_move()';
exception when duplicate_object then null;
end $$;

-- name: restrict_sealed
do $$
declare
    kind text;
begin
    foreach kind in array
        string_to_array('run lane gated holder dedupe lease dead schedule timetable bucket control', ' ')
    loop
        begin
            execute format(
                'create trigger {ns}_move_seal before insert or update or delete on {ns}_%s '
                'for each row execute function {ns}_move()', kind
            );
        exception when duplicate_object then null;
        end;
    end loop;
end $$;

-- name: restrict_moved
do $$
begin
    execute 'create trigger {ns}_move_beat before update on {ns}_session for each row execute function {ns}_move()';
exception when duplicate_object then null;
end $$;
