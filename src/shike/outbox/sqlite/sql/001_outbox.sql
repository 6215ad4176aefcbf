-- Runs that the transactions of an application hand over, row by row; a relay moves them into Shike's store.
create table if not exists {box} (
    id integer primary key autoincrement,                      -- the order in which they are handed on
    identity text not null default (lower(hex(randomblob(16)))), -- by which the store knows a row that comes again
    task text not null,
    args text not null default '{}',                           -- a JSON object by parameter name
    options text not null default '{}',                        -- of the submit, a JSON object
    created_at integer not null default ({clock}),             -- UTC µs; a delay counts from here
    refused_at integer not null default 0,                     -- 0: it waits; else it was set aside then
    reason text not null default ''                            -- and why
);
create index if not exists {box}_waiting on {box} (refused_at, id);

create table if not exists {box}_relay (                       -- one row: who hands on, and until when he may
    one integer primary key check (one = 1),
    step integer not null,                                     -- of these files, the last that was done
    owner text not null,
    until integer not null
);
insert or ignore into {box}_relay (one, step, owner, until) values (1, 0, '', 0);
