-- name: schedule_latch
-- One step at a time makes or changes a schedule, also one that is not there yet.
select id from {ns}_name force index (primary) where id = $1 for update;

-- name: schedule_lock
select `cursor`, ordinal, plan_at, paused, reason, resume_at, deleted, body
from {ns}_schedule force index (primary) where name = $1 for update;

-- name: schedules_lock
select name, version, ordinal, paused, deleted
from {ns}_schedule force index (primary) where name in $1 order by name for update;

-- name: schedule_find
select `cursor`, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where name = (select id from {ns}_name where text = $1);

-- name: schedule_write
insert into {ns}_schedule (name, text, version, `cursor`, ordinal, plan_at, paused, reason, resume_at, deleted, body)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on duplicate key update
    version = values(version), `cursor` = values(`cursor`), ordinal = values(ordinal), plan_at = values(plan_at),
    paused = values(paused), reason = values(reason), resume_at = values(resume_at), deleted = values(deleted),
    body = values(body);

-- name: schedules_cursor
-- later
update $* as v (name, `cursor`, ordinal) straight_join {ns}_schedule s force index (primary) on s.name = v.name
set s.`cursor` = v.`cursor`, s.ordinal = v.ordinal;

-- name: schedule_planned
update {ns}_schedule s force index (primary) set s.`cursor` = $2, s.ordinal = $3, s.plan_at = $4 where s.name = $1;

-- name: schedules
select `cursor`, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule;

-- name: schedules_to_plan
select `cursor`, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where deleted = 0 and plan_at <= $1;

-- name: version_begin
insert into {ns}_version (name, version, since, until, ordinal, edited_at, body)
values ($1, $2, $3, null, $4, $5, $6);

-- name: version_end
update {ns}_version v force index (primary) set v.until = $2 where v.name = $1 and v.until is null;

-- name: versions
select v.since, coalesce(v.until, s.`cursor`), v.until is null, v.ordinal, v.edited_at, v.body
from {ns}_version v join {ns}_schedule s on s.name = v.name
where v.name = (select id from {ns}_name where text = $1) order by v.version;

-- name: runs_of_schedule
select id from {ns}_run where schedule = $1 and schedule > 0;

-- name: runs_delete
delete r from $1[] as v (id) straight_join {ns}_run r force index (primary) on r.id = v.id;

-- name: attempts_forget
delete a from {ns}_attempt a force index (primary) where a.run_id in $1;

-- name: timetable_add
-- A range counts the withdrawn moment that it begins with, and more; any other row stays. `fate` changes last: what
-- stands before it looks at the row as it was.
insert into {ns}_timetable (schedule, moment, until, count, version, fate, run_id, due_at, state) values $*
on duplicate key update
    until = if(fate = 'withdrawn', values(until), until), count = if(fate = 'withdrawn', values(count), count),
    version = if(fate = 'withdrawn', values(version), version), run_id = if(fate = 'withdrawn', values(run_id), run_id),
    due_at = if(fate = 'withdrawn', values(due_at), due_at), state = if(fate = 'withdrawn', values(state), state),
    fate = if(fate = 'withdrawn', values(fate), fate);

-- name: timetable_withdraw
-- later
update $* as v (schedule, moment, run_id)
straight_join {ns}_timetable t force index (primary) on t.schedule = v.schedule and t.moment = v.moment
set t.fate = 'withdrawn' where t.run_id = v.run_id;

-- name: timetable
select version, moment, until, count, fate, run_id, due_at, state from {ns}_timetable
where schedule = (select id from {ns}_name where text = $1) and moment < $3 and until >= $2 order by moment;

-- name: moments_ahead
select coalesce(sum(count), 0) from {ns}_timetable
where schedule = $1 and moment > $2 and moment <= $3 and fate <> 'withdrawn';
