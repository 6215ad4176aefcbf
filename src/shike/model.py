"""Every noun of Shike, before any behaviour: states, policies, and the records that stores keep.

Times are `int` UTC microseconds, durations end in `_seconds`. Records are msgspec structs written as arrays:
the record version comes first, fields are only ever appended, each with a default, so that a program one
version older or newer reads them (`tests/unit/test_records.py` holds the golden bytes).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from msgspec import Struct, field

from shike.attempts import Failure, LogLine, UserStep
from shike.bounds import BAND_DEFAULT, MISFIRE_GRACE_SECONDS
from shike.parts import Gang as Gang
from shike.parts import OnGone as OnGone
from shike.parts import Shard as Shard
from shike.ties import Link as Link
from shike.ties import OnParent as OnParent
from shike.ties import Ties as Ties

RECORD_VERSION: Final = 1
PROTOCOL_VERSION: Final = 1
NEVER: Final = 0  # an instant that is not set


class State(IntEnum):
    """Where a run is. `PENDING` is a predicate on the shared lane (`run_at` ≤ the store's now), never a write."""

    WAITING = 0  # for a permit, an approval or other runs
    SCHEDULED = 1  # in a lane, run_at ahead
    PENDING = 2  # in a lane, eligible now
    ASSIGNED = 3  # in one worker's own lane
    RUNNING = 4  # leased to a session
    SUCCESS = 5
    FAILED = 6  # an attempt failed; in a lane again, eligible at run_at
    DEAD = 7
    CANCELLED = 8
    SKIPPED = 9


TERMINAL: Final = frozenset({State.SUCCESS, State.DEAD, State.CANCELLED, State.SKIPPED})
IN_LANE: Final = frozenset({State.SCHEDULED, State.PENDING, State.FAILED})

ALLOWED: Final[dict[State, frozenset[State]]] = {
    State.WAITING: frozenset({State.WAITING, State.SCHEDULED, State.DEAD, State.CANCELLED, State.SKIPPED}),
    State.SCHEDULED: frozenset(
        {State.SCHEDULED, State.PENDING, State.WAITING, State.ASSIGNED, State.RUNNING, State.CANCELLED}
        | {State.SKIPPED, State.DEAD}
    ),
    State.PENDING: frozenset(
        {State.SCHEDULED, State.WAITING, State.ASSIGNED, State.RUNNING, State.CANCELLED, State.SKIPPED} | {State.DEAD}
    ),
    State.ASSIGNED: frozenset(
        {State.SCHEDULED, State.ASSIGNED, State.RUNNING, State.CANCELLED, State.SKIPPED, State.DEAD}
    ),
    State.RUNNING: TERMINAL | {State.FAILED, State.SCHEDULED},
    State.FAILED: TERMINAL - {State.SUCCESS} | {State.SCHEDULED, State.PENDING, State.ASSIGNED, State.RUNNING},
    State.SUCCESS: frozenset(),
    State.DEAD: frozenset(),
    State.CANCELLED: frozenset(),
    State.SKIPPED: frozenset(),
}


def may_move(old: State, new: State) -> bool:
    """Whether the one table of moves (P6) has this one."""
    return new in ALLOWED[old]


class Misfire(StrEnum):
    """What becomes of a moment that was not started within the grace time."""

    SKIP = "skip"  # it does not run; a row says so
    ONCE = "once"  # of all that were missed, the latest runs
    ALL = "all"  # each runs, oldest first, capped and rate-limited, after new work
    WITHIN = "within"  # as ALL, for moments younger than the window; older ones are skipped


class Overlap(StrEnum):
    """What becomes of a moment whose predecessor is not over yet, anywhere in the cluster."""

    ALLOW = "allow"  # it starts, up to `overlap_max` at a time (0: no limit)
    SKIP = "skip"  # it does not run
    QUEUE_ONE = "queue_one"  # one waits; a further one replaces none and is skipped
    QUEUE_ALL = "queue_all"  # all wait, in order; waiting one's turn is no misfire
    CANCEL_PREVIOUS = "cancel_previous"  # the running one is asked to stop; this one follows it
    REPLACE = "replace"  # the latest waits and takes the place of the one that waited before


class OnUnknown(StrEnum):
    """What an attempt means whose process died before it could say how it ended."""

    REPEAT = "repeat"  # run it again: the handler is idempotent
    FAIL = "fail"  # to the dead letters, with that reason: repeating would do harm
    ASK = "ask"  # to the dead letters until a person replays or drops it


class Executor(StrEnum):
    """What a handler runs on."""

    ASYNC = "async"  # the worker's event loop
    THREAD = "thread"  # a thread of a bounded pool
    PROCESS = "process"  # a warm child process that can be killed
    COMMAND = "command"  # a program given as argv, never through a shell
    HTTP = "http"  # an executor elsewhere, called by its URL


class Manner(IntEnum):
    """How a batch was granted. A *suspect* is a run that was under way in a process that died."""

    ORDINARY = 0
    TOGETHER = 1  # suspects that share the worker's own process: if it dies, half as many go together next
    APART = 2  # suspects that have a process each: whose dies is known


class Growth(StrEnum):
    """How the pause grows from one retry to the next."""

    FIXED = "fixed"
    INCREMENTAL = "incremental"  # base, 2 x base, 3 x base …
    EXPONENTIAL = "exponential"  # base, factor x base, factor² x base …
    LISTED = "listed"  # as written; the last one repeats


class Backoff(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often a failed run is tried, and how long it rests in between. `attempts` counts the first try."""

    attempts: int = 1
    growth: Growth = Growth.EXPONENTIAL
    base_seconds: float = 1.0
    factor: float = 2.0
    delays_seconds: tuple[float, ...] = ()
    max_seconds: float = 3600.0
    jitter: float = 0.1  # each pause is drawn from [pause x (1 - jitter), pause x (1 + jitter)]


class Route(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who does it: a strategy, and who may at all. Tags are words that workers were started with."""

    by: str = "least_busy"  # a file of `shike.route.strategies`
    key: str = ""  # what consistent hashing goes by; empty: the run's business key, or its task
    required: tuple[str, ...] = ()  # the worker has all of these …
    preferred: tuple[str, ...] = ()  # … as many of these as there is anybody with …
    anti: tuple[str, ...] = ()  # … and none of these
    affinity: str = ""  # runs of one such word stay with the worker that had the last, as long as it may have them
    slots: int = 1  # how much of a worker it takes
    session: str = ""  # meant for this worker alone …
    on_gone: OnGone = OnGone.FAILOVER  # … as long as it is there


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one run sets differently from its task. None: as the task says."""

    retry: Backoff | None = None
    timeout_seconds: float | None = None
    on_unknown: OnUnknown | None = None
    keep_result: bool | None = None
    repeat_seconds: float | None = None  # fixed delay: the next moment is so long after this run's end
    route: Route | None = None  # None: whoever is free
    takes: str = ""  # in its arguments an object with this one name stands for parents' results: `track.handover`
    gate: str = ""  # of a schedule, or of a run that needs approval: where its runs, or it then, wait for their limits
    traceparent: str = ""  # the span that submitted it (W3C Trace Context)
    shard: Shard | None = None  # of divided work, which part it is
    gang: Gang | None = None  # the runs that it begins with


class Run(Struct, frozen=True, array_like=True, gc=False):
    """One thing to be done once, as it was submitted or planned. Never changes."""

    version: int
    id: int
    task: str
    args: bytes = b""  # a JSON object of the arguments by name, through the codec
    queue: str = "default"
    band: int = BAND_DEFAULT
    due_at: int = NEVER  # the promise: lateness is measured from it
    created_at: int = NEVER
    key: str = ""  # the caller's business key
    schedule: str = ""
    moment: int = NEVER  # the schedule's nominal instant; with `schedule` the identity of this run
    ordinal: int = 0
    next_due_at: int = NEVER  # of the schedule's following moment, for `Misfire.ONCE`
    misfire: Misfire = Misfire.ALL
    misfire_seconds: float = 0.0  # start later than due_at by more than this is a misfire; 0: never one
    expires_at: int = NEVER  # not started by then: it is skipped
    gate: str = ""  # the permit it must hold before it enters a lane
    replay_of: int = 0  # the run that it does again, the first one if that was a replay itself
    options: bytes = b""  # `Options` as JSON; empty: none
    owner: str = ""  # whom a dead letter belongs to
    schedule_version: int = 0
    ties: Ties | None = None  # to other runs of a graph


class Live(Struct, gc=False):
    """A run that is not over, with what changes about it."""

    run: Run
    state: State
    run_at: int  # when it is eligible: moved by retry, snooze, reschedule
    band: int
    attempts: int = 0  # ended attempts that count; the next one is attempts + 1
    crashes: int = 0  # processes that died while they ran nothing but this
    version: int = 1  # grows with each change; operators compare it
    token: int = 0  # of the lease that holds it; 0: none
    suspect: bool = False  # rescued from a dead process: claimed with other suspects only, or apart
    cancel: str = ""  # why somebody asked for it to stop
    progress: bytes = b""
    together: int = 0  # its lease was lost: of its kind, at most so many share a process; 0: it never was
    worker: str = ""  # the session in whose own lane it was put; kept while that runs it


class Ended(Struct, frozen=True, gc=False):
    """A run that is over: its last state, for ever."""

    run: Run
    state: State
    ended_at: int
    attempts: int
    token: int  # of the accepted attempt; 0 where none ran
    session: str
    reason: str = ""
    result: bytes = b""
    trace: bytes = b""  # the last attempt, packed: `Attempt`
    replayed_as: int = 0


class Attempt(Struct, frozen=True, array_like=True, gc=False):
    """One try of a run by one worker: what is written, once, with its acknowledgement."""

    version: int
    number: int
    token: int
    session: str
    state: State
    claimed_at: int = NEVER
    started_at: int = NEVER
    ended_at: int = NEVER
    error: str = ""  # type and message
    traceback: str = ""
    steps: tuple[tuple[str, int, int], ...] = ()  # as programs before 0.3 wrote them; now: `spans`
    worker: str = ""
    eligible_at: int = NEVER  # the run_at for which it was granted
    room_at: int = NEVER  # its worker had no room for that queue until then, where it had none since eligible_at
    slots: int = 0  # of that worker; below 0: how many it gave to that queue at most
    asked_micros: int = 0  # how long the store took to grant it
    spans: tuple[UserStep, ...] = ()
    lines: tuple[LogLine, ...] = ()  # the end of what it logged
    lost: int = 0  # steps and lines that were too many to be kept
    failure: Failure | None = None
    traceparent: str = ""  # of its span, where an exporter made one (W3C Trace Context)


class SessionState(StrEnum):
    """A session lives once and dies once."""

    OPEN = "open"
    CLOSED = "closed"


class Session(Struct, frozen=True, kw_only=True):
    """One process start of a node, worker or client, under a random identity."""

    id: str
    number: int  # from the store, never used again: the high part of this session's run ids
    name: str
    kind: str  # "client", "worker", "node", "all"
    host: str
    pid: int
    started_at: int
    expires_at: int  # by the store's clock; 0: does not beat (clients)
    beat: int = 0  # the number of the last beat
    claimed: int = 0  # the highest claim number granted
    state: SessionState = SessionState.OPEN
    reason: str = ""
    protocol: int = PROTOCOL_VERSION
    load: bytes = b""
    closed_at: int = NEVER
    lease_seconds: float = 0.0  # as of the last beat: how far ahead `expires_at` can be; 0: not known
    died: bool = False  # closed because its process is gone, or may be; not where it is known to live
    held: int = 0  # how many runs it held when it was closed


class Load(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session tells of itself with each beat. A field that is not told has its default."""

    bucket_lease_seconds: float = 0.0  # how long its buckets stay its own without a beat; 0: as long as usual
    late_ms: dict[int, int] = field(default_factory=dict)  # its late buckets, by their lowest virtual bucket
    started_late_ms: dict[int, int] = field(
        default_factory=dict
    )  # a worker's: late in spite of room, by ranges' lowest
    slots: int = 0  # a worker's; 0: it is none, or does not tell
    busy: int = 0  # runs under way and granted
    cpu: float = 0.0  # of its machine, 0 … 1, as the next two
    memory: float = 0.0
    io: float = 0.0
    failures: float = 0.0  # of its last runs, the share that failed
    latency_ms: float = 0.0  # of a run, on average
    answer_ms: float = 0.0  # its last beat, there and back
    runs_per_second: float = 0.0
    weight: float = 1.0  # against the other workers
    tags: tuple[str, ...] = ()


class Lease(Struct, frozen=True, kw_only=True):
    """The time-limited right of a session to the batch of one claim. It lasts as long as its session."""

    token: int
    session: str
    claim: int
    granted_at: int
    run_ids: tuple[int, ...]
    open_ids: tuple[int, ...]  # not settled yet
    manner: Manner = Manner.ORDINARY


class Schedule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task, a trigger, arguments and policies, under `group/name`. Each edit makes a new version."""

    name: str
    task: str
    trigger: bytes  # as `shike.trigger` encodes it; opaque to stores
    version: int = 0  # given by the store
    args: bytes = b""
    queue: str = "default"
    band: int = BAND_DEFAULT
    misfire: Misfire = Misfire.ONCE
    misfire_grace_seconds: float = MISFIRE_GRACE_SECONDS
    misfire_window_seconds: float = 0.0
    overlap: Overlap = Overlap.ALLOW
    overlap_max: int = 0
    jitter_seconds: float = 0.0
    start_at: int = NEVER
    end_at: int = NEVER
    count: int = 0  # moments in all; 0: without end
    expires_seconds: float = 0.0
    options: bytes = b""
    owner: str = ""
    tz_version: str = ""
    spread: str = ""  # the seed of `H` and of jitter; the name where empty
    created_at: int = NEVER
    after_end: bool = False  # fixed delay: planned by the step that settles the run before


class Planned(Struct, frozen=True, kw_only=True):
    """How far a schedule has been planned, and whether it is paused."""

    schedule: Schedule
    cursor: int = NEVER  # the last moment that has a row
    ordinal: int = 0
    plan_at: int = NEVER  # when the planner has to look again
    paused: bool = False
    reason: str = ""
    resume_at: int = NEVER  # paused: when it goes on by itself; not paused: when the last pause ended
    deleted: bool = False


class ScheduleVersion(Struct, frozen=True, kw_only=True):
    """One version of a schedule, and the stretch of moments that it answers for: those in (since, until].

    A made or edited schedule answers from its cursor of that instant on (NEVER: from where its line begins), until the
    cursor of the instant in which it was edited again or deleted. For the version that stands that is the cursor.
    """

    schedule: Schedule
    edited_at: int
    since: int = NEVER
    until: int = NEVER
    ordinal: int = 0  # the number of the last moment up to `since`
    stands: bool = True


class Fate(StrEnum):
    """Why a row of the timetable has no run of its own, or what became of it."""

    PLANNED = "planned"  # it has a run; that run's state is the answer
    MISSED = "missed"  # nobody was there to plan it in time
    COALESCED = "coalesced"  # a later moment ran in its place
    PAUSED = "paused"  # the schedule was paused
    WITHDRAWN = "withdrawn"  # an edit or removal took it back before it was claimed
    CAPPED = "capped"  # over the number of moments that are caught up with


class TimetableRow(Struct, frozen=True, array_like=True, gc=False):
    """One planned moment, or one range of `count` moments from `moment` to `until` that did not run."""

    schedule: str
    version: int
    moment: int
    until: int
    count: int
    fate: Fate
    run_id: int = 0
    due_at: int = NEVER
    state: int = -1  # the run's last state, kept when its history is dropped; -1: look at the run


class Bucket(Struct, frozen=True, kw_only=True):
    """A range of virtual buckets, owned by one node under an epoch that only grows."""

    low: int
    high: int  # inclusive
    owner: str = ""
    epoch: int = 0
