-- name: run_insert
insert into {ns}_run
    (id, state, lane, run_at, task, schedule, moment, attempts, crashes, version, holding, key, cancel, progress, body)
values {rows of 15};

-- name: lane_insert
insert into {ns}_lane (lane, run_at, id, task) values {rows of 4};

-- name: gated_insert
insert into {ns}_gated (id, gate, run_at, parents) values {rows of 4};

-- name: dedupe_find
select run_id from {ns}_dedupe where key = ? and expires_at > ?;

-- name: dedupe_keep
insert or replace into {ns}_dedupe (key, run_id, expires_at) values (?, ?, ?);

-- name: holder_count
select count(*), coalesce(sum(run_id = ?), 0) from {ns}_holder where key = ?;

-- name: holder_keep
insert or ignore into {ns}_holder (key, run_id) values (?, ?);

-- name: dead_replay
update {ns}_dead set replayed_as = ? where id = ? and replayed_as = 0;

-- name: dead_replayed_as
select replayed_as from {ns}_dead where id = ?;

-- name: run_bodies
select body from {ns}_run where id in (select value from json_each(?));

-- name: dead_bodies
select body from {ns}_dead where id in (select value from json_each(?));

-- name: history_bodies
select body from {ns}_history_{day} where id in (select value from json_each(?));

-- name: dead_any
select 1 from {ns}_dead where id in (select value from json_each(?)) limit 1;

-- name: history_any
select 1 from {ns}_history_{day} where id in (select value from json_each(?)) limit 1;

-- name: holder_release
delete from {ns}_holder where run_id in (select value from json_each(?)) returning key;

-- name: run_exists
select 1 from {ns}_run where id = ?;
