-- Locks on MySQL (8 or newer) and MariaDB (10.6 or newer). Times are UTC microseconds of the server's clock. A row stays
-- when its lock is free, so that its token goes on growing. `{names}` stands for as many %s as there are names.

-- name: session
set session transaction isolation level read committed;

-- Names are compared byte by byte: as text, "a" and "a " were one, but in collations that only one of the two servers has.
-- name: table
create table if not exists {ns}_locks (
    name varbinary(1020) primary key,
    owner varchar(64) character set ascii not null,
    token bigint not null,
    expires_at bigint not null
) engine = innodb;

-- One that is there is looked at first: to insert it would wait for whoever has it locked.
-- name: make
insert ignore into {ns}_locks (name, owner, token, expires_at)
select %s, '', 0, 0 from dual where not exists (select 1 from {ns}_locks where name = %s);

-- name: free_names
select name from {ns}_locks
where name in ({names}) and (expires_at <= floor(unix_timestamp(sysdate(6)) * 1000000) or owner = %s)
order by field(name, {names});

-- name: find
select name from {ns}_locks
where name = %s and (expires_at <= floor(unix_timestamp(sysdate(6)) * 1000000) or owner = %s)
for update skip locked;

-- name: take
update {ns}_locks
set owner = %s, token = last_insert_id(greatest(token + 1, floor(unix_timestamp(sysdate(6)) * 1000000))),
    expires_at = floor(unix_timestamp(sysdate(6)) * 1000000) + %s
where name = %s;

-- name: extend
update {ns}_locks
set expires_at = floor(unix_timestamp(sysdate(6)) * 1000000) + %s
where name = %s and owner = %s and expires_at > floor(unix_timestamp(sysdate(6)) * 1000000);

-- name: free
update {ns}_locks
set owner = '', expires_at = 0
where name = %s and owner = %s and expires_at > floor(unix_timestamp(sysdate(6)) * 1000000);

-- name: patience
set session innodb_lock_wait_timeout = %s, session wait_timeout = %s;

-- name: impatience
set session innodb_lock_wait_timeout = default, session wait_timeout = default;

-- name: find_row
select name from {ns}_locks where name = %s for update;

-- name: row
update {ns}_locks
set token = last_insert_id(greatest(token + 1, floor(unix_timestamp(sysdate(6)) * 1000000)))
where name = %s;
