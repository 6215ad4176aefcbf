-- name: schedule_find
select version, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule where name = ?;

-- name: schedule_write
insert or replace into {ns}_schedule
    (name, text, version, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: schedule_stands
select ordinal from {ns}_schedule where name = ? and version = ? and deleted = 0 and paused = 0;

-- name: schedule_cursor
update {ns}_schedule set cursor = ?, ordinal = ? where name = ?;

-- name: schedule_planned
update {ns}_schedule set cursor = ?, ordinal = ?, plan_at = ? where name = ?;

-- name: schedules
select version, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule order by text;

-- name: schedules_to_plan
select version, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where deleted = 0 and plan_at <= ? order by plan_at, text;

-- name: version_begin
insert into {ns}_version (name, version, since, until, ordinal, edited_at, body) values (?, ?, ?, null, ?, ?, ?);

-- name: version_end
update {ns}_version set until = ? where name = ? and until is null;

-- name: versions
select v.since, coalesce(v.until, s.cursor), v.until is null, v.ordinal, v.edited_at, v.body
from {ns}_version v join {ns}_schedule s on s.name = v.name
where v.name = ? order by v.version;

-- name: runs_of_schedule
select id from {ns}_run where schedule = ? and schedule > 0;

-- name: attempts_forget
delete from {ns}_attempt where run_id in (select value from json_each(?));

-- name: timetable_fate
select fate, run_id from {ns}_timetable where schedule = ? and moment = ?;

-- name: timetable_write
insert or replace into {ns}_timetable (schedule, moment, until, count, version, fate, run_id, due_at, state)
values {rows of 9};

-- name: timetable_add
-- A range counts the withdrawn moment that it begins with, and more; any other row stays.
insert into {ns}_timetable (schedule, moment, until, count, version, fate, run_id, due_at, state)
values {rows of 9}
on conflict (schedule, moment) do update set
    until = excluded.until, count = excluded.count, version = excluded.version, fate = excluded.fate,
    run_id = excluded.run_id, due_at = excluded.due_at, state = excluded.state
where fate = 'withdrawn';

-- name: timetable_withdraw
update {ns}_timetable set fate = 'withdrawn' where schedule = ? and moment = ? and run_id = ?;

-- name: moments_ahead
select coalesce(sum(count), 0) from {ns}_timetable
where schedule = ? and moment > ? and moment <= ? and fate <> 'withdrawn';

-- name: timetable
select version, moment, until, count, fate, run_id, due_at, state from {ns}_timetable
where schedule = ? and moment < ? and until >= ? order by moment;

-- name: bucket_holding
select low, high, owner, epoch from {ns}_bucket where low <= ? and high >= ?;
