"""Every bound of the system: a named constant with its reason. Units stand last in the name."""

from __future__ import annotations

# What a caller may hand over.
ARGS_BYTES_MAX = 64 * 1024  # larger payloads belong in an object store; a claim of 1,000 runs stays ≤ 64 MB
RESULT_BYTES_MAX = 64 * 1024  # results travel with acknowledgements, which are batched
NAME_CHARS_MAX = 200  # names are index keys in every store
KEY_CHARS_MAX = 400  # business keys may join two names
TAGS_MAX = 16  # tags are matched per claim
SUBMIT_BATCH_MAX = 10_000  # one atomic step; larger bulk submits are cut into several
GRAPH_RUNS_MAX = 20_000  # of one graph, stored in one step: 10,000 beside each other, with what is before and behind
GRAPH_LINKS_MAX = 100_000  # a mesh of more is a mistake; parents that follow each other count as one
BRANCHES_MAX = 100  # that a run may choose with its success
GRAIN_ITEMS = 100  # of a part of split work, until something was measured: the target that the source names …
GRAIN_ITEMS_MAX = 100_000  # … and beyond this a part is no part: its arguments are JSON of 64 KiB
BROADCAST_WORKERS_MAX = 10_000  # that one call reaches: it is stored in one step
GANG_RUNS_MAX = 256  # that begin together: each of their slots is noted in one row, written as often
GANG_SECONDS_MAX = 3_600.0  # for so long slots of a gang may stand empty
BATCH_RUNS_MAX = 1_000  # that one call of a handler works on
BATCH_WINDOW_SECONDS = 0.05  # for so long a batch waits to be full, where it is not said: nobody notices
BATCH_WINDOW_SECONDS_MAX = 60.0  # for so long its runs hold their slots
HANDOVER_BYTES_MAX = 16 * 1024 * 1024  # results that one run takes over from its parents: they pass through one worker
HANDOVER_KEPT = 64  # parents whose results a worker remembers: many children of one take the same
HANDOVER_READ_AT_ONCE = 1_000  # of them are read in one look: each result has at most 64 KiB
SUBMIT_PART = 2_000  # … of this size, where the next one is made ready while the store writes the last
SUBMIT_TRIES = 5  # of a submit that the store does not answer: it may be restarting …
SUBMIT_PAUSE_SECONDS = 0.1  # … before the second of them; each further one waits twice as long
JSON_DEPTH_MAX = 64  # deeper arguments are a mistake or an attack
BANDS = 8  # priority bands of a queue; 0 is first
BAND_DEFAULT = 3
BAND_BACKLOG = BANDS - 1  # catch-up and backfill: after everything else
BACKLOG_SLOTS_SHARE = 0.8  # of a worker's slots, so that new work always finds a free one (P5)

# Planning.
PLAN_AHEAD_SECONDS = 15 * 60  # rows are written at most this far ahead; further moments are computed
PLAN_AHEAD_MOMENTS = 100  # and at most so many per schedule, so a 1 Hz schedule does not fill the store
CATCH_UP_MOMENTS_MAX = 1_000  # most missed moments that `all` plans; the rest is one range row
CATCH_UP_PER_SECOND = 100  # so that a day's backlog arrives as a stream, not as a wall
MISFIRE_GRACE_SECONDS = 60.0  # a start this late is still on time enough

# Saying when.
DURATION_SECONDS_MAX = 100 * 366 * 86_400  # a century: anything longer is a wrong unit
EVERY_SECONDS_MIN = 0.001  # a faster interval is a loop, not a schedule
CRON_CHARS_MAX = 1_000  # a list of every minute is 169; longer ones are a mistake or an attack
CRON_YEAR_MAX = 2199  # a year field beyond is a slip of the pen
SEARCH_YEARS = 100  # a day pattern comes back within 40 years (a fifth Monday in February, over 2100)
SEARCH_CANDIDATES = 100_000  # moments looked at, a day of seconds and more, before triggers are said never to meet
BETWEEN_MOMENTS = 10_000  # of one listing; a longer one is read in pages
COUNT_MOMENTS = 10_000  # counted one by one where no arithmetic is known; then "at least so many" is told
TRIGGER_PARTS_MAX = 64  # of one combination
TRIGGER_DEPTH_MAX = 8  # of combinations in combinations
CALENDAR_RULES_MAX = 4_000  # ten years of single days

# Read-ahead.
READ_AHEAD_SECONDS = 5.0  # the timer holds what is due this soon …
READ_AHEAD_RUNS = 10_000  # … and at most so much of it: memory is a cache with a fixed size
SWEEP_SECONDS = 30.0  # every bucket is read from −∞ this often: a commit may become visible late
GATE_LOOK_RUNS = 100  # of those that wait for one permit, looked at in one step
TIMER_DEAD_MIN = 64  # cancelled timers that may lie about before their places are given back

# Buckets.
SCANS_AT_ONCE = 16  # reads or plans that one node has under way: what a pool of connections serves
BUCKETS_PER_NODE_MIN = 2  # so that few nodes share evenly, and one that leaves leaves a little to each
LATE_SECONDS = 0.25  # a bucket that is read or planned later than this is split …
CALM_SECONDS = 0.05  # … and those that are less late than this for a while are merged
CALM_FOR_SECONDS = 30.0
START_RANGES_MAX = 64  # for so many ranges of virtual buckets a worker tells how late runs start: 1 KB of a beat
EXPECTED_PER_SECOND_MAX = 2_000.0  # runs due in one bucket: where a forecast expects more, it is split beforehand
FORECAST_MINUTES = 5  # so far ahead a forecast is asked for
FORECAST_LOOK_SECONDS = 60.0  # and so often
FORECAST_ANSWER_SECONDS = 5.0
DECISION_PAUSE_SECONDS = 5.0  # between two decisions: what the last one did must be seen first
DECISIONS_KEPT = 30  # rows that tell of the last ones

# Liveness.
BEAT_SECONDS = 1.0  # one statement a second is all an idle process costs
LOAD_BYTES_MAX = 4 * 1024  # what a beat tells of its process, each second: within one page of a database
LEASE_SECONDS = 10.0  # ten missed beats; a killed process is noticed at once where its lock file tells
BUCKET_LEASE_SECONDS = 2.5  # two missed beats: a dead node's buckets move within 3 s; a hasty taking costs an epoch
NODE_LOOK_SECONDS = 0.4  # how often nodes look at each other's beats; one alone does not
RECEIPT_LEASES = 10  # a settled lease answers repeated acknowledgements for so many lease times
CRASHES_MAX = 3  # processes that one run may kill, alone, before it is poison
REPEAT_SECONDS_MIN = 0.1  # before the first repetition of what the store did not do; each further one waits longer
QUARANTINE_SECONDS = 20.0  # the next suspects wait so long, or all for one that is to be alone; P5 allows 60 s
WAKER_PATIENCE_SECONDS = 0.25  # how long a broker's word is waited for before the node's own timer speaks
SLEEP_SECONDS_MAX = 1.0  # no longer sleep, so that a jump of the clock is seen within a second

FROZEN_SECONDS_MAX = 60.0  # how long a submit waits for a store that is being moved, before it says so

# Handing on from an outbox.
RELAY_ROWS = 500  # in one step; with the largest arguments 32 MB
RELAY_LEASE_SECONDS = 5.0  # how long another relay waits for one that was killed
RELAY_POLL_SECONDS = 1.0  # between two looks where nobody tells of a commit
RELAY_REMEMBER_SECONDS = 7 * 24 * 3600.0  # a row that comes again within this is known: as long as history is kept
REFUSED_LISTED = 1_000  # of one listing

# Locks.
LOCK_NAMES_MAX = 100  # of which one takes whichever is free; a larger pool is a queue
LOCK_POLL_SECONDS = 0.002  # before a busy lock is asked for again; it doubles …
LOCK_POLL_SECONDS_MAX = 0.1  # … up to here: what a lock that came free lies idle at most
LOCK_CONNECTIONS_MAX = 8  # of one process to a database: more wait for one another there instead of here
LOCK_ANSWER_SECONDS = 5.0  # for one question to the server
OPTIMISTIC_TRIES = 100  # a value that changes so often between reading and writing wants a lock

# Claiming and acknowledging.
CLAIM_RUNS_MAX = 2_000  # one lease; bounds the cost of losing a reply
CLAIM_AHEAD_SECONDS = 0.02  # of measured work beyond the free slots
AGEING_CLAIMS = 15  # each 15th claim begins with a lower band, each in turn; odd: `shike.bands` says why
ACK_DELAY_SECONDS = 0.005  # an acknowledgement waits at most this long for company
ACK_BATCH_MAX = 1_000
ACKS_WAITING_MAX = 10 * ACK_BATCH_MAX  # with so many that the store does not take, a worker claims no more
ACK_LEASE_SHARE_MAX = 0.1  # of the lease: a longer delay would make healthy runs look lost

# Retrying.
ATTEMPTS_MAX = 100  # a larger number is a schedule, not a retry
RETRY_DELAY_SECONDS_MAX = 7 * 24 * 3600.0
DEDUPE_SECONDS = 24 * 3600.0  # how long a business key is remembered unless told otherwise
DEDUPE_SECONDS_MAX = 90 * 24 * 3600.0

# Keeping.
HISTORY_SUCCESS_SECONDS = 7 * 24 * 3600.0
HISTORY_DEAD_SECONDS = 90 * 24 * 3600.0
PURGE_ROWS = 5_000  # per step, so that retention never blocks the writer for long
ERROR_CHARS_MAX = 4_000  # of a traceback kept with an attempt

# Executing.
THREADS_MAX = 64
PROCESSES_MAX = 32
KILL_GRACE_SECONDS = 5.0  # between a polite stop and SIGKILL
STOP_GRACE_SECONDS = 30.0  # for running handlers when a worker is told to stop
POLITE_SHARE = 0.8  # of the grace, before a thread's handler is interrupted; the rest is for its `finally`
REAP_SECONDS = 5.0  # for a process to be gone after SIGKILL; longer only in an uninterruptible system call
CHILD_START_SECONDS = 60.0  # for a child process to import the app; slower is stuck
FRAME_BYTES_MAX = 1024 * 1024  # between worker and child: arguments or result, error and steps with room to spare
STEPS_MAX = 1_000  # of one attempt: some 40 KB; a loop of more wants one step around it
STEP_NAME_CHARS_MAX = 100  # a name is a label, what varies belongs in the log
LOG_TAIL_LINES = 50  # of an attempt that failed …
LOG_TAIL_BYTES = 4 * 1024  # … and no more than a screen of them
LOG_SUCCESS_LINES = 2  # of one that went well: the last words; history is full of them
LOG_LIVE_BYTES = 1024  # of one under way, with each beat
LOG_LINE_CHARS_MAX = 500
LOG_TOLD_SECONDS = 0.25  # how often a child process tells what its handler logs
FAULTS_MAX = 5  # exceptions of one chain that are kept with a failure: the last, and where it came from
FRAMES_MAX = 20  # of each: the innermost
FAULT_CHARS_MAX = 1_000  # of each one's message
SOURCE_CHARS_MAX = 200  # of a line of code
COMMANDS_MAX = 128  # of one worker at a time: each is a process, two pipes and a file
COMMAND_TAIL_BYTES = 5 * 1024  # of stdout and stderr each: at worst 6 bytes of JSON a byte, within RESULT_BYTES_MAX
RELOAD_POLL_SECONDS = 0.5  # a person who saved a file does not notice the wait
RELOAD_SETTLE_SECONDS = 0.2  # an editor or a checkout writes several files: restart once

# Listing.
SESSIONS_LISTED = 1_000  # the newest; each short program that submits is one

# Listening.
LISTENER_CALLS_MAX = 10_000  # events that wait for one listener: a few MB, and then it is not keeping up
LISTENER_SECONDS = 10.0  # for one event; who needs longer submits a run

# Ids.
VIRTUAL_BUCKETS_MAX = 256  # a run id carries its virtual bucket in 8 bits
SNOWFLAKE_AHEAD_SECONDS = 5.0  # how far ids may run ahead of a clock that was set back; more is a mistake to look at
SEEN_DAYS = 3  # today, yesterday's stragglers, and one night of repeats
SEEN_PAGES_MAX = 1_024  # of 64 KiB: 64 MiB, or half a billion numbers that are dense
