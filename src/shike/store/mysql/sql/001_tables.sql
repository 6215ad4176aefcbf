-- The layout, as on PostgreSQL: live tables hold live runs and nothing else; what is over lies in one partition per day.
--
-- The row of a run is written when it is submitted and when something about it changes, not when it is claimed:
-- a claim only takes its entry out of `lane` and writes one `lease` for the whole batch. So a run is
--   WAITING  if it has a row in `gated`,  in a lane if it has one in `lane`,  else RUNNING: in an open lease.
--
-- DDL is never taken back here: each statement may be repeated, and a table brings its indexes along. {exact} is the
-- collation that compares bytes, and a trailing blank as one; {options} closes every table.

create table if not exists {ns}_name (
    id int auto_increment primary key,   -- queues, tasks and schedules are small numbers in hot tables
    text varchar(700) not null,
    unique key by_text (text)
) {options};

create table if not exists {ns}_run (
    id bigint primary key,
    state tinyint unsigned not null,     -- of `State`: WAITING, SCHEDULED or FAILED; RUNNING is derived, as said above
    attempts int not null,
    lane int not null,                   -- queue number << 4 | suspect << 3 | band
    run_at bigint not null,
    moment bigint not null,
    task int not null,
    schedule int not null,               -- 0: none
    crashes int not null,
    together int not null default 0,     -- its lease was lost: of its kind, at most so many share a process
    version int not null,
    holding int not null,                -- how many permits it holds
    `key` varchar(700) not null,
    cancel text not null,
    progress mediumblob not null,
    body mediumblob not null,            -- the `Run`, packed
    key by_schedule (schedule)
) {options};

create table if not exists {ns}_asked (  -- the leased runs that were asked to stop: a beat looks whether there are any
    id bigint primary key
) {options};

create table if not exists {ns}_lane (
    run_at bigint not null,
    id bigint not null,
    lane int not null,
    task int not null,
    primary key (lane, run_at, id)
) {options};

create table if not exists {ns}_laid (   -- every lane in which a run ever stood: who looks for lanes looks here
    lane int primary key
) {options};

create table if not exists {ns}_gated (
    id bigint primary key,
    run_at bigint not null,
    gate varchar(700) not null,
    key by_gate (gate, run_at, id),
    key by_run_at (run_at, id)
) {options};

create table if not exists {ns}_gate (   -- a row to lock while a permit's holders are counted
    `key` varchar(700) primary key
) {options};

create table if not exists {ns}_holder (
    place bigint auto_increment primary key,
    run_id bigint not null,
    `key` varchar(700) not null,
    unique key by_key (`key`, run_id),
    key by_run (run_id)
) {options};

create table if not exists {ns}_dedupe (
    run_id bigint not null,
    expires_at bigint not null,
    `key` varchar(700) primary key,
    key by_expires_at (expires_at)
) {options};

create table if not exists {ns}_session (
    number int auto_increment primary key,
    id varchar(255) not null,
    name text not null,
    kind text not null,
    host text not null,
    pid bigint not null,
    started_at bigint not null,
    expires_at bigint not null,          -- 0: it does not beat
    lease_seconds double not null,
    beats boolean not null,              -- whether it ever had a lease; else it only submits
    beat bigint not null,
    claimed bigint not null,
    closed boolean not null,
    reason text not null,
    protocol int not null,
    `load` blob not null,
    closed_at bigint not null,
    died boolean not null default false,
    held int not null default 0,         -- how many runs it held when it was closed
    unique key by_id (id),
    key by_closed (closed, beats, closed_at),
    key by_beats (beats, started_at)
) {options};

create table if not exists {ns}_lease (
    token bigint auto_increment primary key,  -- the fencing number: never given twice, grows
    session int not null,
    claim bigint not null,
    granted_at bigint not null,
    settled_at bigint not null,          -- 0: some of its runs are not settled
    open int not null,                   -- how many of its runs are not settled
    manner tinyint unsigned not null,    -- `Manner`: of suspects, or of others
    ids blob not null,                   -- 8 bytes a run, in the order granted
    facts blob not null,                 -- 4 bytes a run: task number << 1 | whether it holds a permit
    fates blob not null,                 -- 1 byte a run: open, taken, or the state it was settled with (the receipt)
    unique key by_claim (session, claim),
    key by_settled_at (settled_at, session)
) {options};

create table if not exists {ns}_attempt (
    run_id bigint not null,
    token bigint not null,
    body mediumblob not null,            -- the `Attempt`, packed; the last one lies with the ended run
    primary key (run_id, token)
) {options};

create table if not exists {ns}_history (
    id bigint not null,
    ended_at bigint not null,
    token bigint not null,
    moment bigint not null,
    state tinyint unsigned not null,
    attempts int not null,
    task int not null,
    lane int not null,
    schedule int not null,
    session varchar(255) not null,
    `key` varchar(700) not null,
    reason mediumtext not null,
    result mediumblob not null,
    trace mediumblob not null,
    body mediumblob not null,
    primary key (id, ended_at)
) {options} partition by range (ended_at) (partition before_all values less than (0));

create table if not exists {ns}_day (day int primary key) {options};  -- days since 1970 that have a partition

create table if not exists {ns}_dead (
    id bigint primary key,
    ended_at bigint not null,
    token bigint not null,
    moment bigint not null,
    replayed_as bigint not null default 0,
    state tinyint unsigned not null,
    attempts int not null,
    task int not null,
    lane int not null,
    schedule int not null,
    session varchar(255) not null,
    `key` varchar(700) not null,
    reason mediumtext not null,
    result mediumblob not null,
    trace mediumblob not null,
    body mediumblob not null,
    key by_ended_at (ended_at)
) {options};

create table if not exists {ns}_digest (
    day int not null,
    task int not null,
    state tinyint unsigned not null,
    slot smallint not null,              -- sessions share few, so that they do not wait for each other
    count bigint not null,               -- how many ended so, for ever
    dropped bigint not null default 0,   -- how many of them have left the day's partition
    primary key (day, task, state, slot)
) {options};

create table if not exists {ns}_schedule (
    name int primary key,
    version int not null,
    `cursor` bigint not null,
    ordinal bigint not null,
    plan_at bigint not null,
    resume_at bigint not null,
    paused boolean not null,
    deleted boolean not null,
    text varchar(700) not null,
    reason text not null,
    body mediumblob not null,            -- the `Schedule`, packed
    key by_plan_at (deleted, plan_at)
) {options};

create table if not exists {ns}_version (  -- each version of a schedule, and the moments in (since, until] it answers for
    name int not null,
    version int not null,
    since bigint not null,
    until bigint,                        -- null: it stands, up to the schedule's cursor
    ordinal bigint not null,
    edited_at bigint not null,
    body mediumblob not null,
    primary key (name, version)
) {options};

create table if not exists {ns}_timetable (
    schedule int not null,
    version int not null,
    moment bigint not null,
    until bigint not null,
    count bigint not null,
    run_id bigint not null,
    due_at bigint not null,
    state smallint not null,
    fate varchar(20) not null,
    primary key (schedule, moment),
    key by_until (until)
) {options};

create table if not exists {ns}_bucket (
    low int primary key,
    high int not null,
    epoch bigint not null,
    owner varchar(255) not null
) {options};

create table if not exists {ns}_control (
    version bigint not null,
    `key` varchar(700) primary key,
    value mediumblob not null
) {options};

create table if not exists {ns}_news (   -- what was committed lately, for other processes: lost with the server
    number bigint auto_increment primary key,
    teller varchar(32) not null,
    body varbinary(8000) not null
) engine = memory max_rows = 2000 default charset = utf8mb4 collate = {exact};
