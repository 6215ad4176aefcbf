-- name: clock
select {clock};

-- name: names_seen
select id, text from {ns}_name where text in $1;

-- name: names_give
insert into {ns}_name (text) values $1[] on duplicate key update id = id;
select id, text from {ns}_name where text in $1;

-- name: names_of
select id, text from {ns}_name where id in $1;

-- name: runs_arrive
-- $1 now (null: read the clock); ids of ended runs are looked for if $2 <= $3, the lowest and the highest new id.
-- A delay >= 0 counts from now. Where `place` is set, due_at and created_at are written into the body there.
-- Answers now, and whether one of the ids belongs to a run that is over: then nothing was stored. That is selected, not
-- set: under REPEATABLE READ, of a user's own transaction, a `set` would lock what it looks at.
set @shike_now = coalesce($1, {clock});
select (
    exists (select 1 from {ns}_history where id between $2 and $3)
        or exists (select 1 from {ns}_dead where id between $2 and $3)
) and (
    exists (select 1 from {ns}_history where id between $2 and $3 and id in $*(1))
        or exists (select 1 from {ns}_dead where id between $2 and $3 and id in $*(1))
) into @shike_over;
insert ignore into {ns}_laid (lane)
select v.lane from $*[2] as v (lane) left join {ns}_laid k on k.lane = v.lane where k.lane is null;
insert into {ns}_run (
    id, state, attempts, lane, run_at, moment, task, schedule, crashes, version, holding, `key`, cancel, progress, body
)
select id, if(gate = '', 1, 0), 0, lane, if(delay >= 0, @shike_now + delay, run_at), moment, task, schedule, 0, 1, holding,
    `key`, '', '',
    if(place = 0, body, insert(
        body, place, 17,
        concat(
            unhex(lpad(hex(if(delay >= 0, @shike_now + delay, due_at)), 16, '0')), x'd3',
            unhex(lpad(hex(if(created_at = 0, @shike_now, created_at)), 16, '0'))
        )
    ))
from $* as a (
    id, lane, task, schedule, moment, holding, `key`, gate, run_at, delay, due_at, created_at, place, body
)
where not @shike_over;
insert into {ns}_lane (run_at, id, lane, task)
select run_at, id, lane, task from {ns}_run force index (primary) where id in $*(1) and state = 1 and not @shike_over;
insert into {ns}_gated (id, run_at, gate)
select id, if(delay >= 0, @shike_now + delay, run_at), gate from $*[1, 9, 10, 8] as a (id, run_at, delay, gate)
where gate <> '' and not @shike_over;
select @shike_now, @shike_over;

-- name: runs_known
-- Whether one of these ids, which lie between $2 and $3, belongs to a run that is in the store.
select 1 from dual where exists (select 1 from {ns}_run where id in $1)
    or exists (select 1 from {ns}_dead where id between $2 and $3 and id in $1)
    or exists (select 1 from {ns}_history where id between $2 and $3 and id in $1);

-- name: runs_stored
select id, body from {ns}_run where id in $1
union all select id, body from {ns}_dead where id in $1
union all select id, body from {ns}_history where id in $1;

-- name: gates_lock
insert into {ns}_gate (`key`) values $* on duplicate key update `key` = values(`key`);

-- name: holders_of
select `key`, run_id from {ns}_holder where `key` in $1 order by place;

-- name: holders_keep
-- later
insert into {ns}_holder (`key`, run_id) values $* on duplicate key update run_id = values(run_id);

-- name: keys_lock
insert into {ns}_dedupe (`key`, run_id, expires_at) select `key`, 0, 0 from $* as k (`key`)
on duplicate key update `key` = values(`key`);

-- name: keys_of
-- As of now, also where a user's own transaction looks at an older state of the database.
select `key`, run_id, expires_at from {ns}_dedupe force index (primary) where `key` in $1
order by `key` for update;

-- name: keys_keep
-- later
insert into {ns}_dedupe (`key`, run_id, expires_at) values $*
on duplicate key update run_id = values(run_id), expires_at = values(expires_at);

-- name: letters_lock
select id, replayed_as from {ns}_dead force index (primary) where id in $1 order by id for update;

-- name: letters_replay
-- later
update $* as r (id, run_id) straight_join {ns}_dead d force index (primary) on d.id = r.id
set d.replayed_as = r.run_id;

-- name: timetable_fates
select t.schedule, t.moment, t.fate
from $* as m (schedule, moment)
straight_join {ns}_timetable t force index (primary) on t.schedule = m.schedule and t.moment = m.moment;

-- name: timetable_write
-- later
insert into {ns}_timetable (schedule, moment, until, count, version, fate, run_id, due_at, state) values $*
on duplicate key update
    until = values(until), count = values(count), version = values(version), fate = values(fate),
    run_id = values(run_id), due_at = values(due_at), state = values(state);

-- name: lanes_lay
-- Rows of (lane): a transaction that takes its time shall not be the one that brings a lane in.
insert ignore into {ns}_laid (lane) values $*;

-- name: place_name
-- $1: what this store is known by, unless it is known already.
insert ignore into {ns}_meta (`key`, value) values ('identity', $1);

-- name: place
-- Which tables these are, and for people, where they were looked for. Locks, so that it sees what is there now.
select database(), coalesce((select value from {ns}_meta where `key` = 'identity' lock in share mode), 1),
    concat('database ', database());
