-- name: wakeup_channel
-- A channel belongs to the whole database, a store to one schema of it.
select {channel}, pg_backend_pid();

-- name: wakeup_present
select pg_advisory_lock_shared({store});

-- name: wakeup_hello
select pg_notify({channel}, $1);

-- name: wakeup_tell
-- Whether anybody else listens, but for the processes $2; if so, tell them.
with others as (
    select exists (
        select 1 from pg_locks
        where locktype = 'advisory' and objsubid = 1 and pid <> all($2::int[])
            and classid::bigint = ({store} >> 32) & 4294967295 and objid::bigint = {store} & 4294967295
            and database = (select oid from pg_database where datname = current_database())
    ) as are
)
select (select count(pg_notify({channel}, payload)) from unnest($1::text[]) as p (payload) where (select are from others))
    > 0;
