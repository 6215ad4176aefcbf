-- name: control_lock
select `key`, value, version from {ns}_control force index (primary) where `key` = $1 for update;

-- name: control_make
insert into {ns}_control (`key`, value, version) values ($1, $2, 1);

-- name: control_change
update {ns}_control c force index (primary) set c.value = $2, c.version = $3 where c.`key` = $1;

-- name: control_delete
delete c from {ns}_control c force index (primary) where c.`key` = $1;

-- name: controls
select `key`, value, version from {ns}_control;

-- name: controls_of
select `key`, value, version from {ns}_control where left(`key`, char_length($1)) = $1;

-- name: purge_receipts
delete from {ns}_lease where settled_at > 0 and settled_at < $1 order by settled_at limit $2;

-- name: purge_keys
delete from {ns}_dedupe where expires_at <= $1 order by expires_at limit $2;

-- name: purge_gates
-- Rows to lock that nobody locks: the next who needs one makes it.
delete from {ns}_gate where not exists (select 1 from {ns}_holder h where h.`key` = {ns}_gate.`key`) limit $1;

-- name: purge_sessions
delete from {ns}_session
where closed = 1 and beats = 1 and closed_at < $1
    and not exists (select 1 from {ns}_lease l where l.session = {ns}_session.number)
limit $2;

-- name: purge_clients
delete from {ns}_session where beats = 0 and started_at < $1 order by started_at limit $2;

-- name: purge_timetable
delete from {ns}_timetable where until < $1 order by until limit $2;

-- name: purge_versions
-- Those that were replaced so long ago.
delete v from (
    select v.name, v.version from {ns}_version v
    where exists (select 1 from {ns}_version s where s.name = v.name and s.version > v.version and s.edited_at < $1)
    order by v.name, v.version limit $2
) old straight_join {ns}_version v force index (primary) on v.name = old.name and v.version = old.version;

-- name: days
select day from {ns}_day order by day;

-- name: days_lock
-- Nothing to lock: who comes second finds the partition made.
select 1;

-- name: day_note
insert into {ns}_day (day) values ($1) on duplicate key update day = values(day);

-- name: day_forget
delete from {ns}_day where day = $1;

-- name: history_make
alter table {ns}_history add partition (partition p{day} values less than ({end}));

-- name: history_drop
alter table {ns}_history drop partition p{day};

-- name: history_sweep
-- Where a day has no partition of its own.
delete from {ns}_history where ended_at >= {start} and ended_at < {end};

-- name: history_part
-- Of the runs that ended from $1 to $2, the next $4 behind the id $3: how many there are, and the last of them.
select count(*), coalesce(max(id), 0) from (
    select id from {ns}_history where ended_at >= $1 and ended_at < $2 and id > $3 order by id limit $4
) p;

-- name: history_keep_states
-- Before an ended run leaves, its row of the timetable learns how it ended. $3 and $4: the ids, from behind and up to.
update {ns}_history h
straight_join {ns}_timetable t force index (primary) on t.schedule = h.schedule and t.moment = h.moment
set t.state = h.state
where h.ended_at >= $1 and h.ended_at < $2 and h.id > $3 and h.id <= $4 and h.schedule > 0 and t.run_id = h.id;

-- name: history_attempts
delete a from {ns}_history h straight_join {ns}_attempt a force index (primary) on a.run_id = h.id
where h.ended_at >= $1 and h.ended_at < $2 and h.id > $3 and h.id <= $4;

-- name: history_old
select id from {ns}_history where ended_at < $1 limit $2;

-- name: history_keep_states_of
update {ns}_history h force index (primary)
straight_join {ns}_timetable t force index (primary) on t.schedule = h.schedule and t.moment = h.moment
set t.state = h.state
where h.id in $1 and h.schedule > 0 and t.run_id = h.id;

-- name: digest_dropped
-- $2: the µs of a day. Any slot will do.
insert into {ns}_digest (day, task, state, slot, count, dropped)
select ended_at div $2 as day, task, state, 0, 0, count(*) from {ns}_history where id in $1 group by day, task, state
on duplicate key update dropped = dropped + values(dropped);

-- name: history_delete
delete h from {ns}_history h force index (primary) where h.id in $1;

-- name: dead_old
select id from {ns}_dead where ended_at < $1 order by ended_at limit $2;

-- name: dead_keep_states
update {ns}_dead d force index (primary)
straight_join {ns}_timetable t force index (primary) on t.schedule = d.schedule and t.moment = d.moment
set t.state = d.state
where d.id in $1 and d.schedule > 0 and t.run_id = d.id;

-- name: dead_delete
delete d from {ns}_dead d force index (primary) where d.id in $1;
