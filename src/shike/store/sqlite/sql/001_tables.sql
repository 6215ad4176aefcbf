-- The layout. Live tables hold live runs and nothing else; what is over lies in one table per day (`history.sql`).
--
-- The row of a run is written when it is submitted and when something about it changes, not when it is claimed:
-- a claim only takes its entry out of `lane` and writes one `lease` for the whole batch. So a run is
--   WAITING  if it has a row in `gated`,  in a lane if it has one in `lane`,  else RUNNING: in an open lease.

create table {ns}_name (
    id integer primary key,          -- queues, tasks and schedules are small numbers in the hot tables
    text text not null unique
);

create table {ns}_run (
    id integer primary key,
    state integer not null,          -- of `State`: WAITING, SCHEDULED or FAILED; RUNNING is derived, as said above
    lane integer not null,           -- queue number << 4 | suspect << 3 | band
    run_at integer not null,
    task integer not null,
    schedule integer not null,       -- 0: none
    moment integer not null,
    attempts integer not null,
    crashes integer not null,
    version integer not null,
    holding integer not null,        -- how many permits it holds
    key text not null,
    cancel text not null,
    progress blob not null,
    body blob not null               -- the `Run`, packed
);
create index {ns}_run_schedule on {ns}_run (schedule) where schedule > 0;
create index {ns}_run_failed on {ns}_run (run_at) where state = 6;
create index {ns}_run_asked on {ns}_run (id) where cancel <> '';

create table {ns}_lane (
    lane integer not null,
    run_at integer not null,
    id integer not null,
    task integer not null,
    primary key (lane, run_at, id)
) without rowid;

create table {ns}_gated (
    id integer primary key,
    gate text not null,
    run_at integer not null
);
create index {ns}_gated_gate on {ns}_gated (gate, run_at, id);
create index {ns}_gated_run_at on {ns}_gated (run_at, id);

create table {ns}_holder (
    place integer primary key autoincrement,
    key text not null,
    run_id integer not null
);
create unique index {ns}_holder_key on {ns}_holder (key, run_id);
create index {ns}_holder_run on {ns}_holder (run_id);

create table {ns}_dedupe (
    key text primary key,
    run_id integer not null,
    expires_at integer not null
) without rowid;
create index {ns}_dedupe_expires on {ns}_dedupe (expires_at);

create table {ns}_session (
    number integer primary key autoincrement,
    id text not null unique,
    name text not null,
    kind text not null,
    host text not null,
    pid integer not null,
    started_at integer not null,
    expires_at integer not null,
    beat integer not null,
    claimed integer not null,
    closed integer not null,
    reason text not null,
    protocol integer not null,
    load blob not null,
    closed_at integer not null
);
create index {ns}_session_closed on {ns}_session (closed_at) where closed > 0;

create table {ns}_lease (
    token integer primary key autoincrement,  -- the fencing number: never given twice, also after a purge
    session integer not null,
    claim integer not null,
    granted_at integer not null,
    settled_at integer not null,
    solo integer not null,
    open integer not null,           -- how many of its runs are not settled
    ids blob not null,               -- 8 bytes a run, in the order granted
    facts blob not null,             -- 4 bytes a run: task number << 1 | whether it holds a permit
    fates blob not null,             -- 1 byte a run: open, taken, or the state it was settled with (the receipt)
    unique (session, claim)
);
create index {ns}_lease_open on {ns}_lease (session, token) where open > 0;
create index {ns}_lease_settled on {ns}_lease (settled_at) where open = 0;

create table {ns}_attempt (
    run_id integer not null,
    token integer not null,
    body blob not null,              -- the `Attempt`, packed; the last one lies with the ended run
    primary key (run_id, token)
) without rowid;

create table {ns}_dead (
    id integer primary key,
    state integer not null,
    ended_at integer not null,
    attempts integer not null,
    token integer not null,
    session text not null,
    task integer not null,
    lane integer not null,
    schedule integer not null,
    moment integer not null,
    key text not null,
    reason text not null,
    result blob not null,
    trace blob not null,
    body blob not null,
    replayed_as integer not null default 0
);
create index {ns}_dead_ended on {ns}_dead (ended_at);

create table {ns}_day (day integer primary key);  -- days since 1970 that have a history table

create table {ns}_digest (
    day integer not null,
    task integer not null,
    state integer not null,
    count integer not null,          -- how many ended so, for ever
    dropped integer not null default 0,  -- how many of them have left the day's history table
    primary key (day, task, state)
) without rowid;

create table {ns}_schedule (
    name integer primary key,
    text text not null,
    version integer not null,
    cursor integer not null,
    ordinal integer not null,
    plan_at integer not null,
    paused integer not null,
    reason text not null,
    resume_at integer not null,
    deleted integer not null,
    body blob not null               -- the `Schedule`, packed
);
create index {ns}_schedule_plan_at on {ns}_schedule (plan_at) where deleted = 0;

create table {ns}_version (          -- every version of a schedule, with the moments in (since, until] that it answers for
    name integer not null,
    version integer not null,
    since integer not null,
    until integer,                   -- null: it stands, up to the schedule's cursor
    ordinal integer not null,
    edited_at integer not null,
    body blob not null,              -- the `Schedule`, packed
    primary key (name, version)
) without rowid;

create table {ns}_timetable (
    schedule integer not null,
    moment integer not null,
    until integer not null,
    count integer not null,
    version integer not null,
    fate text not null,
    run_id integer not null,
    due_at integer not null,
    state integer not null,
    primary key (schedule, moment)
) without rowid;
create index {ns}_timetable_until on {ns}_timetable (until);

create table {ns}_bucket (
    low integer primary key,
    high integer not null,
    owner text not null,
    epoch integer not null
);

create table {ns}_control (
    key text primary key,
    value blob not null,
    version integer not null
) without rowid;
