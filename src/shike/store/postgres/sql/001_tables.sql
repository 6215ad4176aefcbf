-- The layout, as on SQLite: live tables hold live runs and nothing else; what is over lies in one partition per day.
--
-- The row of a run is written when it is submitted and when something about it changes, not when it is claimed:
-- a claim only takes its entry out of `lane` and writes one `lease` for the whole batch. So a run is
--   WAITING  if it has a row in `gated`,  in a lane if it has one in `lane`,  else RUNNING: in an open lease.
--
-- Tables and indexes share their names. A table is named by one word behind the namespace, and an index ends in `index`
-- (or `pkey`, `key`), which is no table: so no two namespaces ever need one name, not even `x` and `x_run`.
--
-- Queue-like tables are vacuumed early and at full speed: a scan of a lane walks over what was claimed since.

create table {ns}_name (
    id int generated always as identity primary key,  -- queues, tasks and schedules are small numbers in hot tables
    text text collate "C" not null unique
);

create table {ns}_run (
    id bigint primary key,
    state smallint not null,         -- of `State`: WAITING, SCHEDULED or FAILED; RUNNING is derived, as said above
    attempts smallint not null,
    lane int not null,               -- queue number << 4 | suspect << 3 | band
    run_at bigint not null,
    moment bigint not null,
    task int not null,
    schedule int not null,           -- 0: none
    crashes int not null,
    together int not null default 0,  -- its lease was lost: of its kind, at most so many share a process
    version int not null,
    holding int not null,            -- how many permits it holds
    key text collate "C" not null,
    cancel text not null,
    progress bytea not null,
    body bytea not null              -- the `Run`, packed
) with (
    fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.2
);
create index {ns}_run_schedule_index on {ns}_run (schedule) where schedule > 0;
create index {ns}_run_failed_index on {ns}_run (run_at) where state = 6;
create index {ns}_run_asked_index on {ns}_run (id) where cancel <> '';
alter table {ns}_run alter column body set storage external;  -- a codec may have packed it; and it is short

create table {ns}_lane (
    run_at bigint not null,
    id bigint not null,
    lane int not null,
    task int not null,
    primary key (lane, run_at, id)
) with (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_scale_factor = 0.2
);

create table {ns}_gated (
    id bigint primary key,
    run_at bigint not null,
    gate text collate "C" not null
);
create index {ns}_gated_gate_index on {ns}_gated (gate, run_at, id);
create index {ns}_gated_run_at_index on {ns}_gated (run_at, id);

create table {ns}_gate (key text collate "C" primary key);  -- a row to lock while a permit's holders are counted

create table {ns}_holder (
    place bigint generated always as identity primary key,
    run_id bigint not null,
    key text collate "C" not null,
    unique (key, run_id)
);
create index {ns}_holder_run_index on {ns}_holder (run_id);

create table {ns}_dedupe (
    run_id bigint not null,
    expires_at bigint not null,
    key text collate "C" primary key
);
create index {ns}_dedupe_expires_index on {ns}_dedupe (expires_at);

create table {ns}_session (
    number int generated always as identity primary key,
    id text collate "C" not null unique,
    name text not null,
    kind text not null,
    host text not null,
    pid bigint not null,
    started_at bigint not null,
    expires_at bigint not null,      -- 0: it does not beat
    lease_seconds double precision not null,
    beats boolean not null,          -- whether it ever had a lease; else it only submits
    beat bigint not null,
    claimed bigint not null,
    closed boolean not null,
    reason text not null,
    protocol int not null,
    load bytea not null,
    closed_at bigint not null,
    died boolean not null default false,
    held int not null default 0      -- how many runs it held when it was closed
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index {ns}_session_closed_index on {ns}_session (closed_at) where closed;
create index {ns}_session_present_index on {ns}_session (number) where not closed and beats;
create index {ns}_session_client_index on {ns}_session (started_at) where not beats;

create table {ns}_lease (
    token bigint generated always as identity primary key,  -- the fencing number: never given twice, grows
    session int not null,
    claim bigint not null,
    granted_at bigint not null,
    settled_at bigint not null,      -- 0: some of its runs are not settled
    open int not null,               -- how many of its runs are not settled
    manner smallint not null,        -- `Manner`: of suspects, or of others
    ids bytea not null,              -- 8 bytes a run, in the order granted
    facts bytea not null,            -- 4 bytes a run: task number << 1 | whether it holds a permit
    fates bytea not null,            -- 1 byte a run: open, taken, or the state it was settled with (the receipt)
    unique (session, claim)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index {ns}_lease_open_index on {ns}_lease (session, token) where settled_at = 0;
create index {ns}_lease_settled_index on {ns}_lease (settled_at) where settled_at > 0;

create table {ns}_attempt (
    run_id bigint not null,
    token bigint not null,
    body bytea not null,             -- the `Attempt`, packed; the last one lies with the ended run
    primary key (run_id, token)
);

create table {ns}_history (
    id bigint not null,
    ended_at bigint not null,
    token bigint not null,
    moment bigint not null,
    state smallint not null,
    attempts smallint not null,
    task int not null,
    lane int not null,
    schedule int not null,
    session text not null,
    key text collate "C" not null,
    reason text not null,
    result bytea not null,
    trace bytea not null,
    body bytea not null
) partition by range (ended_at);
create index {ns}_history_id_index on {ns}_history (id);

create table {ns}_day (day int primary key);  -- days since 1970 that have a partition

create table {ns}_dead (
    id bigint primary key,
    ended_at bigint not null,
    token bigint not null,
    moment bigint not null,
    replayed_as bigint not null default 0,
    state smallint not null,
    attempts smallint not null,
    task int not null,
    lane int not null,
    schedule int not null,
    session text not null,
    key text collate "C" not null,
    reason text not null,
    result bytea not null,
    trace bytea not null,
    body bytea not null
);
create index {ns}_dead_ended_index on {ns}_dead (ended_at);

create table {ns}_digest (
    day int not null,
    task int not null,
    state smallint not null,
    slot smallint not null,          -- sessions share few, so that they do not wait for each other
    count bigint not null,           -- how many ended so, for ever
    dropped bigint not null default 0,  -- how many of them have left the day's partition
    primary key (day, task, state, slot)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

create table {ns}_schedule (
    name int primary key,
    version int not null,
    cursor bigint not null,
    ordinal bigint not null,
    plan_at bigint not null,
    resume_at bigint not null,
    paused boolean not null,
    deleted boolean not null,
    text text collate "C" not null,
    reason text not null,
    body bytea not null              -- the `Schedule`, packed
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
create index {ns}_schedule_plan_at_index on {ns}_schedule (plan_at) where not deleted;

create table {ns}_version (          -- each version of a schedule, and the moments in (since, until] it answers for
    name int not null,
    version int not null,
    since bigint not null,
    until bigint,                    -- null: it stands, up to the schedule's cursor
    ordinal bigint not null,
    edited_at bigint not null,
    body bytea not null,
    primary key (name, version)
);

create table {ns}_timetable (
    schedule int not null,
    version int not null,
    moment bigint not null,
    until bigint not null,
    count bigint not null,
    run_id bigint not null,
    due_at bigint not null,
    state smallint not null,
    fate text not null,
    primary key (schedule, moment)
);
create index {ns}_timetable_until_index on {ns}_timetable (until);

create table {ns}_bucket (
    low int primary key,
    high int not null,
    epoch bigint not null,
    owner text collate "C" not null
);

create table {ns}_control (
    version bigint not null,
    key text collate "C" primary key,
    value bytea not null
);
