-- name: claim_look
-- $1 now (null: read the clock), $2 the session, $3 the first lane of each wanted queue. Answers now, the session (nulls
-- where there is none) and, in a row each, the lanes that hold something: their first run_at, and their first ahead of
-- now; in each the control rows of what is paused. A paused queue has no lanes here. The server turns only constants into a look at one end of an index: so the
-- question is put together here, lane by lane.
set @now = coalesce($1, {clock});
set @lanes = (
    select group_concat(
        'select ', k.lane, ' as lane, (select min(run_at) from {ns}_lane where lane = ', k.lane, ') as first,
        (select min(run_at) from {ns}_lane where lane = ', k.lane, ' and run_at > ', @now, ') as ahead'
        separator ' union all '
    )
    from $3[] as w (low)
    join {ns}_name n on n.id = w.low >> 4
    join {ns}_laid k on k.lane between w.low and w.low + 15
    where not exists (select 1 from {ns}_control c where c.`key` = concat('queue/', substring_index(n.text, '>', 1)))
);
set @look = concat(
    'select ', @now, ', s.number, s.closed, s.expires_at, s.claimed, s.reason, f.lane, f.first, f.ahead,
    (select json_arrayagg(c.`key`) from {ns}_control c where c.`key` >= ''pause/'' and c.`key` < ''pause0'')
    from (select 1 as one) o left join {ns}_session s on s.id = ', quote($2), ' left join (',
    coalesce(@lanes, 'select null as lane, null as first, null as ahead from dual where false'),
    ') f on f.first is not null'
);
prepare shike_look from @look;
execute shike_look;
deallocate prepare shike_look;

-- name: lane_take
-- The first $4 runs of lane $1 that are eligible at $2 and of the tasks $3, but for those that somebody else is taking;
-- then, as a second answer, whether there were more to choose from. `lanes_leave` follows.
select l.id, l.run_at, r.attempts, r.crashes, r.together, (l.task << 1) | (r.holding > 0), r.body
from {ns}_lane l force index (primary) straight_join {ns}_run r force index (primary) on r.id = l.id
where l.lane = $1 and l.run_at <= $2 and l.task in $3
order by l.run_at, l.id limit $4 for update skip locked;
select exists (
    select 1 from {ns}_lane force index (primary) where lane = $1 and run_at <= $2 and task in $3 limit $4, 1
);

-- name: lanes_back
-- later
insert into {ns}_lane (lane, run_at, id, task) select * from $* as v (lane, run_at, id, task);

-- name: suspects_lock
-- The first $4 suspects of lane $1, but for those that somebody else is taking; nobody takes these until we have.
select l.id, l.run_at, r.attempts, r.crashes, r.together, (l.task << 1) | (r.holding > 0), r.body
from {ns}_lane l force index (primary) straight_join {ns}_run r force index (primary) on r.id = l.id
where l.lane = $1 and l.run_at <= $2 and l.task in $3
order by l.run_at, l.id limit $4 for update skip locked;

-- name: lanes_have
select 1 from {ns}_lane where lane in $1 and run_at <= $2 and task in $3 limit 1;

-- name: lease_grant
-- Unless the session was closed, let its lease run out, or had this claim meanwhile.
update {ns}_session s force index (primary) set s.claimed = $3
where s.number = $2 and not s.closed and s.expires_at >= coalesce($1, {clock}) and s.claimed < $3;
set @granted = row_count();
insert into {ns}_lease (session, claim, granted_at, settled_at, manner, open, ids, facts, fates)
select $2, $3, $4, 0, $5, $6, $7, $8, $9 from dual where @granted > 0;
select last_insert_id() from dual where @granted > 0;

-- name: lease_of_claim
select token, manner, ids, fates from {ns}_lease where session = $1 and claim = $2;

-- name: runs_leased
select id, body, attempts, run_at, crashes, together from {ns}_run where id in $1;
