-- name: schedule_latch
-- One step at a time makes or changes a schedule, also one that is not there yet.
select id from {ns}_name where id = $1 for update;

-- name: schedule_lock
select cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule where name = $1 for update;

-- name: schedules_lock
select name, version, ordinal, paused, deleted from {ns}_schedule where name = any($1::int[]) order by name for update;

-- name: schedule_find
select cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule s
where name = (select id from {ns}_name where text = $1);

-- name: schedule_write
insert into {ns}_schedule (name, text, version, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (name) do update set
    version = excluded.version, cursor = excluded.cursor, ordinal = excluded.ordinal, plan_at = excluded.plan_at,
    paused = excluded.paused, reason = excluded.reason, resume_at = excluded.resume_at, deleted = excluded.deleted,
    body = excluded.body;

-- name: schedules_cursor
update {ns}_schedule s set cursor = v.cursor, ordinal = v.ordinal
from unnest($1::int[], $2::bigint[], $3::bigint[]) as v (name, cursor, ordinal) where s.name = v.name;

-- name: schedule_planned
update {ns}_schedule set cursor = $2, ordinal = $3, plan_at = $4 where name = $1;

-- name: schedules
select cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule;

-- name: schedules_to_plan
select cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where not deleted and plan_at <= $1;

-- name: version_begin
insert into {ns}_version (name, version, since, until, ordinal, edited_at, body) values ($1, $2, $3, null, $4, $5, $6);

-- name: version_end
update {ns}_version set until = $2 where name = $1 and until is null;

-- name: versions
select v.since, coalesce(v.until, s.cursor), v.until is null, v.ordinal, v.edited_at, v.body
from {ns}_version v join {ns}_schedule s on s.name = v.name
where v.name = (select id from {ns}_name where text = $1) order by v.version;

-- name: runs_of_schedule
select id from {ns}_run where schedule = $1 and schedule > 0;

-- name: runs_delete
delete from {ns}_run where id = any($1::bigint[]);

-- name: attempts_forget
delete from {ns}_attempt where run_id = any($1::bigint[]);

-- name: timetable_add
-- A range counts the withdrawn moment that it begins with, and more; any other row stays.
insert into {ns}_timetable as t (schedule, moment, until, count, version, fate, run_id, due_at, state)
select * from unnest(
    $1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::text[], $7::bigint[], $8::bigint[],
    $9::smallint[]
)
on conflict (schedule, moment) do update set
    until = excluded.until, count = excluded.count, version = excluded.version, fate = excluded.fate,
    run_id = excluded.run_id, due_at = excluded.due_at, state = excluded.state
where t.fate = 'withdrawn';

-- name: timetable_withdraw
update {ns}_timetable t set fate = 'withdrawn'
from unnest($1::int[], $2::bigint[], $3::bigint[]) as v (schedule, moment, run_id)
where t.schedule = v.schedule and t.moment = v.moment and t.run_id = v.run_id;

-- name: moments_ahead
select coalesce(sum(count), 0)::bigint from {ns}_timetable
where schedule = $1 and moment > $2 and moment <= $3 and fate <> 'withdrawn';

-- name: timetable
select version, moment, until, count, fate, run_id, due_at, state from {ns}_timetable
where schedule = (select id from {ns}_name where text = $1) and moment < $3 and until >= $2 order by moment;
