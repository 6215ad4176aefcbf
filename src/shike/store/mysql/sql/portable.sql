-- Everything as records (`shike.store.records`), page by page: the place to go on behind, then the limit.

-- name: read_schedules
select `cursor`, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where text > $1 order by text limit $2;

-- name: read_versions
select v.since, coalesce(v.until, 0), v.until is null, v.ordinal, v.edited_at, v.body
from {ns}_version v join {ns}_name n on n.id = v.name
where n.text > $1 or (n.text = $1 and v.version > $2) order by n.text, v.version limit $3;

-- name: read_timetable
select n.text, t.version, t.moment, t.until, t.count, t.fate, t.run_id, t.due_at, t.state
from {ns}_name n join {ns}_timetable t on t.schedule = n.id
where n.text > $1 or (n.text = $1 and t.moment > $2) order by n.text, t.moment limit $3;

-- name: read_controls
select `key`, value, version from {ns}_control where `key` > $1 and `key` <> 'store/move' order by `key` limit $2;

-- name: read_keys
-- Where no run is named, the row was only locked.
select `key`, run_id, expires_at from {ns}_dedupe where `key` > $1 and run_id > 0 order by `key` limit $2;

-- name: read_runs
select id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together
from {ns}_run where id > $1 order by id limit $2;

-- name: read_permits
select `key` from {ns}_holder where `key` > $1 group by `key` order by `key` limit $2;

-- name: read_attempts
select run_id, token, body from {ns}_attempt where run_id > $1 or (run_id = $1 and token > $2)
order by run_id, token limit $3;

-- name: read_ended
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history
where id > $1 and ended_at >= $2 and ended_at < $3 order by id limit $4;

-- name: read_dead
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id > $1 order by id limit $2;

-- name: read_digests
select d.day, n.text, d.state, cast(sum(d.count) as signed) from {ns}_digest d join {ns}_name n on n.id = d.task
where d.day > $1 or (d.day = $1 and (n.text > $2 or (n.text = $2 and d.state > $3)))
group by d.day, n.text, d.state having sum(d.count) > 0 order by d.day, n.text, d.state limit $4;

-- name: read_buckets
select low, high, epoch from {ns}_bucket where low > $1 order by low limit $2;

-- name: read_marks
select cast(coalesce(max(if(table_name = '{ns}_session', auto_increment, 0)), 1) - 1 as signed),
    cast(coalesce(max(if(table_name = '{ns}_lease', auto_increment, 0)), 1) - 1 as signed)
from information_schema.tables where table_schema = database() and table_name in ('{ns}_session', '{ns}_lease');

-- name: unload_versions
delete v from $* as k (name, version)
straight_join {ns}_version v force index (primary) on v.name = k.name and v.version = k.version;

-- name: load_versions
insert into {ns}_version (name, version, since, until, ordinal, edited_at, body) values $*;

-- name: load_controls
insert into {ns}_control (`key`, value, version) values $*
on duplicate key update value = values(value), version = values(version);

-- name: load_keys
insert into {ns}_dedupe (`key`, run_id, expires_at) values $*
on duplicate key update run_id = values(run_id), expires_at = values(expires_at);

-- name: unload_runs
delete l from {ns}_run r straight_join {ns}_lane l force index (primary)
on l.lane = r.lane and l.run_at = r.run_at and l.id = r.id where r.id in $1;
delete from {ns}_gated where id in $1;
delete from {ns}_run where id in $1;

-- name: load_runs
insert into {ns}_run (
    id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, `key`, cancel, progress, body,
    together, holding
)
select id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, `key`, cancel, progress, body,
    together, 0
from $* as a (
    id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, `key`, cancel, progress, body,
    together, gate
);
insert ignore into {ns}_laid (lane) select lane from $*[2, 3] as v (state, lane) where state <> 0;
insert into {ns}_gated (id, run_at, gate)
select id, run_at, gate from $*[1, 2, 4, 16] as v (id, state, run_at, gate) where state = 0;
insert into {ns}_lane (run_at, id, lane, task)
select run_at, id, lane, task from $*[1, 2, 3, 4, 5] as v (id, state, lane, run_at, task) where state <> 0;

-- name: load_attempts
insert into {ns}_attempt (run_id, token, body) values $* on duplicate key update body = values(body);

-- name: unload_ended
delete from {ns}_history where id in $1;

-- name: load_ended
insert into {ns}_history (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, `key`, reason, result, trace, body
) values $*;

-- name: load_dead
insert into {ns}_dead (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, `key`, reason, result, trace, body,
    replayed_as
) values $*;

-- name: unload_digests
delete d from $* as k (day, task, state)
straight_join {ns}_digest d force index (primary) on d.day = k.day and d.task = k.task and d.state = k.state;

-- name: load_digests
insert into {ns}_digest (day, task, state, slot, count)
select day, task, state, 0, count from $* as d (day, task, state, count);

-- name: unload_buckets
delete from {ns}_bucket;

-- name: load_buckets
insert into {ns}_bucket (low, high, owner, epoch) select low, high, '', epoch from $* as b (low, high, epoch);

-- name: load_sessions_mark
-- The next one is higher; a lower number than that changes nothing. Layout takes no sum, so it is written first.
set @shike_mark = concat('alter table {ns}_session auto_increment = ', $1 + 1);
prepare shike_mark from @shike_mark;
execute shike_mark;
deallocate prepare shike_mark;

-- name: load_tokens_mark
set @shike_mark = concat('alter table {ns}_lease auto_increment = ', $1 + 1);
prepare shike_mark from @shike_mark;
execute shike_mark;
deallocate prepare shike_mark;

-- name: load_holding
-- Each run knows how many permits it holds.
update (select run_id, count(*) as count from {ns}_holder group by run_id) h
straight_join {ns}_run r force index (primary) on r.id = h.run_id set r.holding = if(r.holding >= 65536, 65536, 0) + h.count;

-- name: load_dropped
-- What is counted and is not here any more. $1: the µs of a day.
update {ns}_digest d set d.dropped = d.count - (
    select count(*) from {ns}_history h
    where h.ended_at >= d.day * $1 and h.ended_at < (d.day + 1) * $1 and h.task = d.task and h.state = d.state
)
where d.state <> 7;

-- name: restrict_mark
insert into {ns}_control (`key`, value, version) values ('store/move', $1, 1)
on duplicate key update value = values(value);

-- name: restrict_made
select trigger_name from information_schema.triggers
where trigger_schema = database() and left(trigger_name, char_length('{ns}_move_')) = '{ns}_move_';
