-- One table a day, so that retention drops a file's pages and not a million rows.

-- name: history_make
create table if not exists {ns}_history_{day} (
    id integer primary key,
    state integer not null,
    ended_at integer not null,
    attempts integer not null,
    token integer not null,
    session text not null,
    task integer not null,
    lane integer not null,
    schedule integer not null,
    moment integer not null,
    key text not null,
    reason text not null,
    result blob not null,
    trace blob not null,
    body blob not null
);

-- name: history_index
-- Few rows stand in it: most runs succeed.
create index if not exists {ns}_history_{day}_other on {ns}_history_{day} (ended_at) where state <> 5;

-- name: history_unsuccessful
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history_{day}
where state <> 5 and ended_at >= ? and (ended_at, id) > (?, ?) order by ended_at, id limit ?;

-- name: dead_unsuccessful
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where ended_at >= ? and (ended_at, id) > (?, ?) order by ended_at, id limit ?;

-- name: history_note
insert or ignore into {ns}_day (day) values (?);

-- name: days
select day from {ns}_day order by day desc;

-- name: history_find
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history_{day} where id = ?;

-- name: dead_find
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead where id = ?;

-- name: history_found
select id, state, ended_at, attempts, token, session, reason, result, trace, body, 0 from {ns}_history_{day}
where id in (select value from json_each(?));

-- name: dead_found
select id, state, ended_at, attempts, token, session, reason, result, trace, body, replayed_as from {ns}_dead
where id in (select value from json_each(?));

-- name: history_last
select max(id) from {ns}_history_{day};

-- name: dead_last
select max(id) from {ns}_dead;
