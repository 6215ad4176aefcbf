-- name: meta_make
create table if not exists {ns}_meta (key text primary key, value integer not null);

-- name: meta_read
select key, value from {ns}_meta;

-- name: meta_write
insert or replace into {ns}_meta (key, value) values (?, ?);

-- name: bucket_first
insert into {ns}_bucket (low, high, owner, epoch)
select 0, ?, '', 0 where not exists (select 1 from {ns}_bucket);

-- name: meta_touch
update {ns}_meta set value = value where key = 'step';

-- name: session_outside
-- A closed session that only lends its number to run ids.
insert into {ns}_session
    (id, name, kind, host, pid, started_at, expires_at, beat, claimed, closed, reason, protocol, load, closed_at)
values ((select 'outside:' || (coalesce(max(number), 0) + 1) from {ns}_session), 'outside', 'client', '', 0, ?, 0, 0, 0, 1, 'lends its number', 1, x'', ?);

-- name: token_first
insert into sqlite_sequence (name, seq)
select '{ns}_lease', 0 where not exists (select 1 from sqlite_sequence where name = '{ns}_lease');

-- name: token_skip
update sqlite_sequence set seq = seq + ? where name = '{ns}_lease';
