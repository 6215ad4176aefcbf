-- Runs that the transactions of an application hand over, row by row; a relay moves them into Shike's store.
create table if not exists {box} (
    id bigint auto_increment primary key,               -- the order in which they are handed on
    identity char(36) not null default (uuid()),        -- by which the store knows a row that comes again
    task varchar(700) not null,
    args mediumtext not null default ('{}'),            -- a JSON object by parameter name
    options text not null default ('{}'),               -- of the submit, a JSON object
    created_at bigint not null default ({clock}),       -- UTC µs; a delay counts from here
    refused_at bigint not null default 0,               -- 0: it waits; else it was set aside then
    reason text not null default (''),                  -- and why
    key waiting (refused_at, id)
) {options};

create table if not exists {box}_relay (                -- one row: who hands on, and until when he may
    one int primary key,
    step int not null,                                  -- of these files, the last that was done
    owner varchar(100) not null,
    until bigint not null
) {options};
insert ignore into {box}_relay (one, step, owner, until) values (1, 0, '', 0);
