-- Locks on PostgreSQL. Times are UTC microseconds of the server's clock. A row stays when its lock is free, so that its
-- token goes on growing.

-- name: table
create table if not exists {ns}_locks (
    name text primary key,
    owner text not null,
    token bigint not null,
    expires_at bigint not null
);

-- Those that are there are left out first: to insert one would wait for whoever has it locked.
-- name: make
insert into {ns}_locks (name, owner, token, expires_at)
select wanted.name, '', 0, 0 from unnest($1::text[]) as wanted (name)
where not exists (select 1 from {ns}_locks as held where held.name = wanted.name)
on conflict (name) do nothing;

-- name: take
with now as materialized (
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us
), free as (
    select name from {ns}_locks, now
    where name = any($1::text[]) and (expires_at <= now.us or owner = $2)
    order by array_position($1::text[], name)
    limit 1
    for update of {ns}_locks skip locked
)
update {ns}_locks as held
set owner = $2, token = greatest(held.token + 1, now.us), expires_at = now.us + $3
from free, now
where held.name = free.name
returning held.name, held.token;

-- name: extend
update {ns}_locks
set expires_at = (extract(epoch from clock_timestamp()) * 1000000)::bigint + $3
where name = $1 and owner = $2 and expires_at > (extract(epoch from clock_timestamp()) * 1000000)::bigint;

-- name: free
update {ns}_locks
set owner = '', expires_at = 0
where name = $1 and owner = $2 and expires_at > (extract(epoch from clock_timestamp()) * 1000000)::bigint;

-- name: limits
select set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true);

-- name: row
with mine as (
    select name from {ns}_locks where name = $1 for update
)
update {ns}_locks as held
set token = greatest(held.token + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
from mine
where held.name = mine.name
returning held.token;
