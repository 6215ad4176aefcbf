-- name: leases_lock
-- $1 now (null: read the clock), $2 tokens. Answers now, whether the session is closed, and the lease. Locked in a step
-- of its own, so that the session is not: who settles and who claims do not wait for each other.
select count(token) from {ns}_lease force index (primary) where token in $2 order by token for update;
select coalesce($1, {clock}), s.closed, l.token, s.id, l.session, l.granted_at, l.manner, l.claim, l.ids, l.facts,
    l.fates
from {ns}_lease l force index (primary) straight_join {ns}_session s on s.number = l.session
where l.token in $2 order by l.token;

-- name: leases_of_session
select count(token) from {ns}_lease force index (by_settled_at)
where settled_at = 0 and session = $1 order by token for update;
select l.token, s.id, l.session, l.granted_at, l.manner, l.claim, l.ids, l.facts, l.fates
from {ns}_lease l force index (by_settled_at) straight_join {ns}_session s on s.number = l.session
where l.settled_at = 0 and l.session = $1 order by l.token limit $2;

-- name: leases_held
select count(*) from {ns}_lease where session = $1 and settled_at = 0;

-- name: leases_write
-- later
update $* as v (token, fates, open, settled_at)
straight_join {ns}_lease l force index (primary) on l.token = v.token
set l.fates = v.fates, l.open = v.open, l.settled_at = v.settled_at;

-- name: runs_lock
select id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together, task, holding,
    schedule, place
from {ns}_run force index (primary) where id in $1 order by id for update;

-- name: runs_end
-- A list (`in`) may be looked for in the whole table where that is small, and would wait there for runs that are none of
-- ours and that a user's own transaction has brought in; a join never is.
-- later
-- $1 now, $2 the session. Where the clock was set back to a day that never had a
-- partition, the next later one takes its rows; the day is noted all the same.
insert ignore into {ns}_day (day) select $1 div 86400000000 from dual
where not exists (select 1 from {ns}_day where day = $1 div 86400000000);
insert into {ns}_history (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, `key`, reason, result, trace, body
)
select r.id, v.state, $1, r.attempts + v.counted, v.token, $2, r.task, r.lane, r.schedule, r.moment, r.`key`,
    v.reason, v.result, v.trace, r.body
from $* as v (id, state, counted, token, reason, result, trace)
straight_join {ns}_run r force index (primary) on r.id = v.id;
delete r from $*[1] as v (id) straight_join {ns}_run r force index (primary) on r.id = v.id;
delete a from {ns}_asked a force index (primary) where a.id in $*(1);

-- name: runs_bury
-- later
-- As `runs_end`, for dead letters.
insert into {ns}_dead (
    id, state, ended_at, attempts, token, session, task, lane, schedule, moment, `key`, reason, result, trace, body
)
select r.id, v.state, $1, r.attempts + v.counted, v.token, $2, r.task, r.lane, r.schedule, r.moment, r.`key`,
    v.reason, v.result, v.trace, r.body
from $* as v (id, state, counted, token, reason, result, trace)
straight_join {ns}_run r force index (primary) on r.id = v.id;
delete r from $*[1] as v (id) straight_join {ns}_run r force index (primary) on r.id = v.id;
delete a from {ns}_asked a force index (primary) where a.id in $*(1);

-- name: digest_add
-- later
insert into {ns}_digest (day, task, state, slot, count) values $* on duplicate key update count = count + values(count);

-- name: runs_return
-- later
insert ignore into {ns}_laid (lane)
select v.lane from $*[3] as v (lane) left join {ns}_laid k on k.lane = v.lane where k.lane is null;
update $* as v (id, state, lane, run_at, attempts, crashes, together)
straight_join {ns}_run r force index (primary) on r.id = v.id
set r.state = v.state, r.lane = v.lane, r.run_at = v.run_at, r.attempts = v.attempts, r.crashes = v.crashes,
    r.together = v.together, r.version = r.version + 1, r.progress = '';
insert into {ns}_lane (lane, run_at, id, task)
select lane, run_at, id, task from {ns}_run force index (primary) where id in $*(1);

-- name: runs_over
select id, token, session, state from {ns}_dead where id in $1
union all select id, token, session, state from {ns}_history where id in $1;

-- name: runs_alive
select id from {ns}_run where id in $1;

-- name: attempts_write
-- later
insert into {ns}_attempt (run_id, token, body) values $* on duplicate key update body = values(body);

-- name: attempts_trim
-- A run may be snoozed for ever: only its youngest attempts are kept.
delete a from (
    select run_id, token, row_number() over (partition by run_id order by token desc) as place
    from {ns}_attempt where run_id in $1
) old straight_join {ns}_attempt a force index (primary) on a.run_id = old.run_id and a.token = old.token
where old.place > $2;

-- name: lanes_lock
select l.id from $* as v (lane, run_at, id)
straight_join {ns}_lane l force index (primary) on l.lane = v.lane and l.run_at = v.run_at and l.id = v.id
for update;

-- name: lanes_leave
-- later
delete l from $* as v (lane, run_at, id)
straight_join {ns}_lane l force index (primary) on l.lane = v.lane and l.run_at = v.run_at and l.id = v.id;

-- name: gated_leave
delete g from $1[] as v (id) straight_join {ns}_gated g force index (primary) on g.id = v.id;

-- name: runs_move
-- later
insert ignore into {ns}_laid (lane)
select v.lane from $*[2] as v (lane) left join {ns}_laid k on k.lane = v.lane where k.lane is null;
update $* as v (id, lane, run_at, holding) straight_join {ns}_run r force index (primary) on r.id = v.id
set r.state = 1, r.lane = v.lane, r.run_at = v.run_at, r.holding = v.holding, r.version = r.version + 1;
insert into {ns}_lane (lane, run_at, id, task)
select lane, run_at, id, task from {ns}_run force index (primary) where id in $*(1);

-- name: lane_move
-- $1 now (null: read the clock), $2 the run, $3 the version that was seen (0: any), $4 its run_at and $5 its band, or null
-- for those it has. One run that stands in its lane takes another place; no row: it is not so, and nothing was done.
set @now = coalesce($1, {clock}), @lane = null, @at = null;
select lane, run_at into @lane, @at from {ns}_run
where id = $2 and state in (1, 6) and ($3 = 0 or version = $3) for update;
delete from {ns}_lane where lane = @lane and run_at = @at and id = $2;
set @gone = row_count();
update {ns}_run
set state = 1, lane = @lane - (@lane & 7) + coalesce($5, @lane & 7), run_at = coalesce($4, @at), version = version + 1
where id = $2 and @gone = 1;
insert ignore into {ns}_laid (lane) select lane from {ns}_run where id = $2 and @gone = 1;
insert into {ns}_lane (lane, run_at, id, task) select lane, run_at, id, task from {ns}_run where id = $2 and @gone = 1;
select lane, run_at, @now from {ns}_run where id = $2 and @gone = 1;

-- name: runs_wait
-- later
update $* as v (id, lane, run_at) straight_join {ns}_run r force index (primary) on r.id = v.id
set r.lane = v.lane, r.run_at = v.run_at, r.version = r.version + 1;
update $* as v (id, lane, run_at) straight_join {ns}_gated g force index (primary) on g.id = v.id
set g.run_at = v.run_at;

-- name: runs_gate
-- later
update $* as v (id, lane, run_at, gate, body) straight_join {ns}_run r force index (primary) on r.id = v.id
set r.state = 0, r.lane = v.lane, r.run_at = v.run_at, r.body = v.body, r.version = r.version + 1;
insert into {ns}_gated (id, run_at, gate) select id, run_at, gate from $* as a (id, lane, run_at, gate, body);

-- name: runs_rewrite
-- later
update $* as v (id, body) straight_join {ns}_run r force index (primary) on r.id = v.id set r.body = v.body;

-- name: runs_ask
-- later
update $* as v (id, cancel) straight_join {ns}_run r force index (primary) on r.id = v.id
set r.cancel = v.cancel, r.version = r.version + 1;
insert into {ns}_asked (id) values $*[1] on duplicate key update id = values(id);
