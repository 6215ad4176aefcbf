-- Everything as records (`shike.store.records`), page by page: the place to go on behind, then the limit.

-- name: read_schedules
select version, cursor, ordinal, plan_at, paused, reason, resume_at, deleted, body from {ns}_schedule
where text > ? order by text limit ?;

-- name: read_versions
select v.since, coalesce(v.until, 0), v.until is null, v.ordinal, v.edited_at, v.body
from {ns}_version v join {ns}_name n on n.id = v.name
where (n.text, v.version) > (?, ?) order by n.text, v.version limit ?;

-- name: read_timetable
select n.text, t.version, t.moment, t.until, t.count, t.fate, t.run_id, t.due_at, t.state
from {ns}_name n join {ns}_timetable t on t.schedule = n.id
where (n.text, t.moment) > (?, ?) and n.text >= ? order by n.text, t.moment limit ?;

-- name: read_controls
select key, value, version from {ns}_control where key > ? and key <> 'store/move' order by key limit ?;

-- name: read_keys
select key, run_id, expires_at from {ns}_dedupe where key > ? order by key limit ?;

-- name: read_runs
select id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together
from {ns}_run where id > ? order by id limit ?;

-- name: read_permits
select key from {ns}_holder where key > ? group by key order by key limit ?;

-- name: read_holders
select run_id from {ns}_holder where key = ? order by place;

-- name: read_attempts
select run_id, token, body from {ns}_attempt where (run_id, token) > (?, ?) order by run_id, token limit ?;

-- name: read_ended
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history_{day}
where id > ? and ended_at >= ? and ended_at < ? order by id limit ?;

-- name: read_dead
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id > ? order by id limit ?;

-- name: read_digests
select d.day, n.text, d.state, d.count from {ns}_digest d join {ns}_name n on n.id = d.task
where (d.day, n.text, d.state) > (?, ?, ?) order by d.day, n.text, d.state limit ?;

-- name: read_buckets
select low, high, epoch from {ns}_bucket where low > ? order by low limit ?;

-- name: read_marks
select
    coalesce((select seq from sqlite_sequence where name = '{ns}_session'), 0),
    coalesce((select seq from sqlite_sequence where name = '{ns}_lease'), 0);

-- name: load_version
insert or replace into {ns}_version (name, version, since, until, ordinal, edited_at, body)
values (?, ?, ?, ?, ?, ?, ?);

-- name: load_run
insert or replace into {ns}_run
    (id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, holding, key, cancel, progress, body,
    together)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?);

-- name: load_lane
insert or replace into {ns}_lane (lane, run_at, id, task) values (?, ?, ?, ?);

-- name: load_gated
insert or replace into {ns}_gated (id, gate, run_at) values (?, ?, ?);

-- name: load_attempt
insert or replace into {ns}_attempt (run_id, token, body) values (?, ?, ?);

-- name: load_ended
insert or replace into {ns}_history_{day}
    (id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: load_dead
insert or replace into {ns}_dead
    (id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body,
    replayed_as)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: load_digest
insert or replace into {ns}_digest (day, task, state, count) values (?, ?, ?, ?);

-- name: load_holding
-- Each run knows how many permits it holds.
update {ns}_run set holding = (holding >= 65536) * 65536 + (select count(*) from {ns}_holder h where h.run_id = {ns}_run.id)
where id in (select run_id from {ns}_holder);

-- name: load_dropped
-- What is counted and is not here any more.
update {ns}_digest set dropped = count - (
    select count(*) from {ns}_history_{day} h where h.task = {ns}_digest.task and h.state = {ns}_digest.state
)
where day = ? and state <> 7;

-- name: load_sequence
insert into sqlite_sequence (name, seq)
select ?, 0 where not exists (select 1 from sqlite_sequence where name = ?);

-- name: load_mark
update sqlite_sequence set seq = max(seq, ?) where name = ?;

-- name: restrict_made
select name from sqlite_master where type = 'trigger' and name glob '{ns}_move_*';
