-- name: meta_make
create table if not exists {ns}_meta (key text primary key, value integer not null);

-- name: meta_read
select key, value from {ns}_meta;

-- name: meta_write
insert or replace into {ns}_meta (key, value) values (?, ?);

-- name: bucket_first
insert into {ns}_bucket (low, high, owner, epoch)
select 0, ?, '', 0 where not exists (select 1 from {ns}_bucket);
