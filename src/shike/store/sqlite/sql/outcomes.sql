-- name: run_facts
select id, state, lane, run_at, attempts, crashes, version, cancel, progress, body, together, task,
    holding, schedule, place
from {ns}_run where id in (select value from json_each(?));

-- name: history_write
insert into {ns}_history_{day}
    (id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body)
select r.id, v.column2, ?, r.attempts + v.column3, v.column4, ?, r.task, r.lane, r.schedule, r.moment, r.key,
    v.column5, v.column6, v.column7, r.body
from (values {rows of 7}) v cross join {ns}_run r on r.id = v.column1;

-- name: dead_write
insert into {ns}_dead
    (id, state, ended_at, attempts, token, session, task, lane, schedule, moment, key, reason, result, trace, body)
select r.id, v.column2, ?, r.attempts + v.column3, v.column4, ?, r.task, r.lane, r.schedule, r.moment, r.key,
    v.column5, v.column6, v.column7, r.body
from (values {rows of 7}) v cross join {ns}_run r on r.id = v.column1;

-- name: run_delete
delete from {ns}_run where id in (select value from json_each(?));

-- name: run_back
update {ns}_run set
    state = v.column2, lane = v.column3, run_at = v.column4, attempts = v.column5, crashes = v.column6,
    together = v.column7, version = version + 1, progress = x''
from (values {rows of 7}) v where {ns}_run.id = v.column1;

-- name: attempt_write
insert or replace into {ns}_attempt (run_id, token, body) values {rows of 3};

-- name: digest_add
insert into {ns}_digest (day, task, state, count) values {rows of 4}
on conflict (day, task, state) do update set count = count + excluded.count;

-- name: leases_open
select l.token, s.id, l.session, l.granted_at, l.solo, l.claim, l.ids, l.facts, l.fates
from {ns}_lease l join {ns}_session s on s.number = l.session
where l.session = ? and l.open > 0 order by l.claim limit ?;

-- name: leases_of
select l.token, s.id, l.session, l.granted_at, l.solo, l.claim, l.ids, l.facts, l.fates
from {ns}_lease l join {ns}_session s on s.number = l.session
where l.token in (select value from json_each(?));

-- name: lease_write
update {ns}_lease set fates = ?, open = ?, settled_at = ? where token = ?;

-- name: attempts_trim
-- A run may be snoozed for ever: only its youngest attempts are kept.
delete from {ns}_attempt where (run_id, token) in (
    select a.run_id, a.token from json_each(?) j join {ns}_attempt a on a.run_id = j.value
    where a.token <= (
        select b.token from {ns}_attempt b where b.run_id = a.run_id order by b.token desc limit 1 offset ?
    )
);
