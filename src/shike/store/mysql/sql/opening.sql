-- name: settings
select @@version, @@global.innodb_flush_log_at_trx_commit, @@global.innodb_doublewrite, @@global.log_bin,
    @@global.sync_binlog, @@global.binlog_format, @@global.read_only, @@global.max_allowed_packet, database();

-- Not a part of `settings`: a later server may have it no more.
-- name: flush_method
show global variables where variable_name = 'innodb_flush_method';

-- name: tables
select table_name from information_schema.tables
where table_schema = database() and table_name in ('{ns}_meta', '{ns}_run');

-- name: meta_make
create table if not exists {ns}_meta (`key` varchar(100) primary key, value bigint not null) {options};

-- name: meta_begin
-- $1 the format, $2 the virtual buckets: all facts in one step.
insert into {ns}_meta (`key`, value) values ('format', $1), ('step', 0), ('virtual_buckets', $2);

-- name: meta_read
select `key`, value from {ns}_meta;

-- name: meta_step
update {ns}_meta set value = $1 where `key` = 'step';

-- name: opening_lock
-- One process at a time makes or changes the layout. $1: how many seconds to wait for it.
select get_lock(sha1(concat(database(), '.{ns}_meta')), $1);

-- name: opening_unlock
select release_lock(sha1(concat(database(), '.{ns}_meta')));

-- name: bucket_first
insert into {ns}_bucket (low, high, owner, epoch) select 0, $1, '', 0 from dual
where not exists (select 1 from {ns}_bucket);
