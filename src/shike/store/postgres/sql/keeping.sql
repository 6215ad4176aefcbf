-- name: control_lock
select key, value, version from {ns}_control where key = $1 for update;

-- name: control_make
insert into {ns}_control (key, value, version) values ($1, $2, 1);

-- name: control_change
update {ns}_control set value = $2, version = $3 where key = $1;

-- name: control_delete
delete from {ns}_control where key = $1;

-- name: controls
select key, value, version from {ns}_control;

-- name: controls_of
select key, value, version from {ns}_control where starts_with(key, $1);

-- name: purge_receipts
delete from {ns}_lease where token in (
    select token from {ns}_lease where settled_at > 0 and settled_at < $1 order by settled_at limit $2
    for update skip locked
);

-- name: purge_keys
-- A key that is locked just now was expired, or about to be, when it was looked for.
delete from {ns}_dedupe where key in (
    select key from {ns}_dedupe where expires_at <= $1 order by expires_at limit $2 for update skip locked
);

-- name: purge_gates
-- Rows to lock that nobody locks: the next who needs one makes it.
delete from {ns}_gate where key in (
    select key from {ns}_gate g where not exists (select 1 from {ns}_holder h where h.key = g.key)
    limit $1 for update skip locked
);

-- name: purge_sessions
delete from {ns}_session where number in (
    select number from {ns}_session s
    where closed and beats and closed_at < $1 and not exists (select 1 from {ns}_lease l where l.session = s.number)
    limit $2
);

-- name: purge_clients
delete from {ns}_session where number in (
    select number from {ns}_session where not beats and started_at < $1 order by started_at limit $2
);

-- name: purge_timetable
delete from {ns}_timetable where (schedule, moment) in (
    select schedule, moment from {ns}_timetable where until < $1 order by until limit $2
);

-- name: purge_versions
-- Those that were replaced so long ago.
delete from {ns}_version where (name, version) in (
    select v.name, v.version from {ns}_version v
    where exists (select 1 from {ns}_version s where s.name = v.name and s.version > v.version and s.edited_at < $1)
    order by v.name, v.version limit $2
);

-- name: days
select day from {ns}_day order by day;

-- name: days_lock
-- One step at a time makes partitions.
select pg_advisory_xact_lock(hashtextextended('{ns}_history', 0));

-- name: day_note
insert into {ns}_day (day) values ($1) on conflict do nothing;

-- name: day_forget
delete from {ns}_day where day = $1;

-- name: history_make
-- Made beside the others and then attached: that keeps nobody out who reads or writes them.
do $$
begin
    if to_regclass('{ns}_history_{day}') is null then
        create table {ns}_history_{day} (
            like {ns}_history including defaults,
            constraint {ns}_history_{day}_ended_at check (ended_at >= {start} and ended_at < {end})
        );
        create index {ns}_history_{day}_id_index on {ns}_history_{day} (id);
        alter table {ns}_history attach partition {ns}_history_{day} for values from ({start}) to ({end});
    end if;
end $$;

-- name: history_drop
-- This waits for all who read or write the history, and all who come later wait for it: so not for long.
set local lock_timeout = '200ms';
drop table if exists {ns}_history_{day};

-- name: history_part
-- Of the runs that ended from $1 to $2, the next $4 behind the id $3: how many there are, and the last of them.
select count(*), coalesce(max(id), 0) from (
    select id from {ns}_history where ended_at >= $1 and ended_at < $2 and id > $3 order by id limit $4
) p;

-- name: history_keep_states
-- Before an ended run leaves, its row of the timetable learns how it ended. $3 and $4: the ids, from behind and up to.
update {ns}_timetable t set state = h.state
from {ns}_history h
where h.ended_at >= $1 and h.ended_at < $2 and h.id > $3 and h.id <= $4 and h.schedule > 0
    and t.schedule = h.schedule and t.moment = h.moment and t.run_id = h.id;

-- name: history_attempts
delete from {ns}_attempt a using {ns}_history h
where h.ended_at >= $1 and h.ended_at < $2 and h.id > $3 and h.id <= $4 and a.run_id = h.id;

-- name: history_old
select id from {ns}_history where ended_at < $1 limit $2;

-- name: history_keep_states_of
update {ns}_timetable t set state = h.state
from {ns}_history h
where h.id = any($1::bigint[]) and h.schedule > 0
    and t.schedule = h.schedule and t.moment = h.moment and t.run_id = h.id;

-- name: digest_dropped
-- $2: the µs of a day. Any slot will do.
insert into {ns}_digest as d (day, task, state, slot, count, dropped)
select (ended_at / $2)::int, task, state, 0, 0, count(*) from {ns}_history where id = any($1::bigint[]) group by 1, 2, 3
on conflict (day, task, state, slot) do update set dropped = d.dropped + excluded.dropped;

-- name: history_delete
delete from {ns}_history where id = any($1::bigint[]);

-- name: dead_old
select id from {ns}_dead where ended_at < $1 order by ended_at limit $2;

-- name: dead_keep_states
update {ns}_timetable t set state = d.state
from {ns}_dead d
where d.id = any($1::bigint[]) and d.schedule > 0
    and t.schedule = d.schedule and t.moment = d.moment and t.run_id = d.id;

-- name: dead_delete
delete from {ns}_dead where id = any($1::bigint[]);
