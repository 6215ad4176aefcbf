-- name: control_find
select key, value, version from {ns}_control where key = ?;

-- name: control_write
insert or replace into {ns}_control (key, value, version) values (?, ?, ?);

-- name: control_delete
delete from {ns}_control where key = ?;

-- name: controls
select key, value, version from {ns}_control where key >= ?1 and substr(key, 1, length(?1)) = ?1 order by key;

-- name: purge_receipts
delete from {ns}_lease where token in (
    select token from {ns}_lease where open = 0 and settled_at < ? order by settled_at limit ?
);

-- name: purge_keys
delete from {ns}_dedupe where key in (select key from {ns}_dedupe where expires_at <= ? order by expires_at limit ?);

-- name: purge_sessions
delete from {ns}_session where number in (
    select number from {ns}_session s
    where closed > 0 and closed_at < ? and not exists (select 1 from {ns}_lease l where l.session = s.number)
    limit ?
);

-- name: purge_clients
delete from {ns}_session where number in (
    select number from {ns}_session where expires_at = 0 and started_at < ? order by started_at limit ?
);

-- name: purge_timetable
delete from {ns}_timetable where (schedule, moment) in (
    select schedule, moment from {ns}_timetable where until < ? order by until limit ?
);

-- name: purge_versions
-- Those that were replaced so long ago.
delete from {ns}_version where (name, version) in (
    select v.name, v.version from {ns}_version v
    where exists (select 1 from {ns}_version s where s.name = v.name and s.version > v.version and s.edited_at < ?)
    order by v.name, v.version limit ?
);

-- name: history_old
select id from {ns}_history_{day} where ended_at < ? order by ended_at limit ?;

-- name: history_keep_state
-- Before an ended run leaves, its row of the timetable learns how it ended.
update {ns}_timetable set state = h.state
from (select id, schedule, moment, state from {ns}_history_{day} where schedule > 0) h
where {ns}_timetable.schedule = h.schedule and {ns}_timetable.moment = h.moment and {ns}_timetable.run_id = h.id;

-- name: history_keep_states
update {ns}_timetable set state = h.state
from (
    select id, schedule, moment, state from {ns}_history_{day}
    where schedule > 0 and id in (select value from json_each(?))
) h
where {ns}_timetable.schedule = h.schedule and {ns}_timetable.moment = h.moment and {ns}_timetable.run_id = h.id;

-- name: history_attempts
delete from {ns}_attempt where run_id in (
    select distinct a.run_id from {ns}_attempt a where exists (select 1 from {ns}_history_{day} h where h.id = a.run_id)
);

-- name: history_count
select count(*) from {ns}_history_{day};

-- name: history_drop
drop table {ns}_history_{day};

-- name: history_forget
delete from {ns}_day where day = ?;

-- name: history_tally
select task, state, count(*) from {ns}_history_{day} where id in (select value from json_each(?)) group by task, state;

-- name: digest_dropped
update {ns}_digest set dropped = dropped + ? where day = ? and task = ? and state = ?;

-- name: history_delete
delete from {ns}_history_{day} where id in (select value from json_each(?));

-- name: dead_old
select id from {ns}_dead where ended_at < ? order by ended_at limit ?;

-- name: dead_keep_states
update {ns}_timetable set state = d.state
from (
    select id, schedule, moment, state from {ns}_dead
    where schedule > 0 and id in (select value from json_each(?))
) d
where {ns}_timetable.schedule = d.schedule and {ns}_timetable.moment = d.moment and {ns}_timetable.run_id = d.id;

-- name: dead_delete
delete from {ns}_dead where id in (select value from json_each(?));
