-- name: meta_exists
select to_regclass('{ns}_meta') is not null, to_regclass('{ns}_run') is not null;

-- name: meta_make
create table if not exists {ns}_meta (key text primary key, value bigint not null);

-- name: meta_read
select key, value from {ns}_meta;

-- name: meta_write
insert into {ns}_meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value;

-- name: opening_lock
-- One process at a time makes or changes the layout.
select pg_advisory_xact_lock(hashtextextended('{ns}_meta', 0));

-- name: bucket_first
insert into {ns}_bucket (low, high, owner, epoch) select 0, $1::int, '', 0
where not exists (select 1 from {ns}_bucket);

-- name: settings
select name, setting from pg_settings
where name in ('server_version_num', 'fsync', 'synchronous_commit', 'full_page_writes', 'transaction_read_only',
    'server_encoding', 'max_identifier_length')
union all select 'in_recovery', pg_is_in_recovery()::text;

-- name: types
select $1::smallint[], $2::int[], $3::bigint[], $4::text[], $5::bytea[], $6::boolean[];

-- name: days_ready
-- $1 now (null: read the clock), $2 how many days ahead. Whether their partitions are there, and today's.
select count(*) = $2::int + 1
from {ns}_day, (select coalesce($1::bigint, {clock}) / 86400000000 as today) t
where day between today and today + $2::int;
