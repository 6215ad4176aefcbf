-- Runs that the transactions of an application hand over, row by row; a relay moves them into Shike's store.
create table if not exists {box} (
    id bigint generated always as identity primary key,  -- the order in which they are handed on
    identity uuid not null default gen_random_uuid(),    -- by which the store knows a row that comes again
    task text not null,
    args text not null default '{}',                     -- a JSON object by parameter name
    options text not null default '{}',                  -- of the submit, a JSON object
    created_at bigint not null default {clock},          -- UTC µs; a delay counts from here
    refused_at bigint not null default 0,                -- 0: it waits; else it was set aside then
    reason text not null default ''                      -- and why
);
create index if not exists {box}_waiting on {box} (id) where refused_at = 0;
create index if not exists {box}_refused on {box} (id) where refused_at > 0;

create table if not exists {box}_relay (                 -- one row: who hands on, and until when he may
    one int primary key check (one = 1),
    step int not null,                                   -- of these files, the last that was done
    owner text not null,
    until bigint not null
);
insert into {box}_relay (one, step, owner, until) values (1, 0, '', 0) on conflict do nothing;

-- Tells the relay at the commit. Drop the trigger where commits are many and a second does not matter: it looks anyway.
create or replace function {box}_tell() returns trigger language plpgsql as
    'begin perform pg_notify(tg_table_name, ''''); return null; end';
drop trigger if exists {box}_tell on {box};
create trigger {box}_tell after insert on {box} for each statement execute function {box}_tell();
