"""Every bound of the system: a named constant with its reason. Units stand last in the name."""

from __future__ import annotations

# What a caller may hand over.
ARGS_BYTES_MAX = 64 * 1024  # larger payloads belong in an object store; a claim of 1,000 runs stays ≤ 64 MB
RESULT_BYTES_MAX = 64 * 1024  # results travel with acknowledgements, which are batched
NAME_CHARS_MAX = 200  # names are index keys in every store
KEY_CHARS_MAX = 400  # business keys may join two names
TAGS_MAX = 16  # tags are matched per claim
SUBMIT_BATCH_MAX = 10_000  # one atomic step; larger bulk submits are cut into steps of this size
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
TIMER_DEAD_MIN = 64  # cancelled timers that may lie about before their places are given back

# Liveness.
BEAT_SECONDS = 1.0  # one statement a second is all an idle process costs
LEASE_SECONDS = 10.0  # ten missed beats; a killed process is noticed at once where its lock file tells
RECEIPT_LEASES = 10  # a settled lease answers repeated acknowledgements for so many lease times
CRASHES_MAX = 3  # processes that one run may kill, alone, before it is poison
SLEEP_SECONDS_MAX = 1.0  # no longer sleep, so that a jump of the clock is seen within a second

# Claiming and acknowledging.
CLAIM_RUNS_MAX = 2_000  # one lease; bounds the cost of losing a reply
CLAIM_AHEAD_SECONDS = 0.02  # of measured work beyond the free slots
AGEING_CLAIMS = 16  # each 16th claim takes the lowest band first, so no band starves
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
TRACE_SECONDS = 3 * 24 * 3600.0
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
STEPS_MAX = 1_000  # of one attempt, as a child reports them
COMMANDS_MAX = 128  # of one worker at a time: each is a process, two pipes and a file
COMMAND_TAIL_BYTES = 5 * 1024  # of stdout and stderr each: at worst 6 bytes of JSON a byte, within RESULT_BYTES_MAX
RELOAD_POLL_SECONDS = 0.5  # a person who saved a file does not notice the wait
RELOAD_SETTLE_SECONDS = 0.2  # an editor or a checkout writes several files: restart once

# Listening.
LISTENER_CALLS_MAX = 10_000  # of async listeners that are not done: a few MB, and then they are not keeping up

# Ids.
VIRTUAL_BUCKETS_MAX = 256  # a run id carries its virtual bucket in 8 bits
SNOWFLAKE_AHEAD_SECONDS = 5.0  # how far ids may run ahead of a clock that was set back; more is a mistake to look at
SEEN_DAYS = 3  # today, yesterday's stragglers, and one night of repeats
SEEN_PAGES_MAX = 1_024  # of 64 KiB: 64 MiB, or half a billion numbers that are dense
