"""What is sent to the server, as types: what is not of these is refused, with the path to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from shike.bounds import BANDS, KEY_CHARS_MAX, NAME_CHARS_MAX, TAGS_MAX
from shike.model import Backoff, Misfire, OnParent, OnUnknown, Overlap
from shike.server.bounds import ACKS_MAX, BULK_RUNS_MAX, GRAPH_NODES_MAX, PAGE, PAGE_MAX, WAIT_SECONDS_MAX
from shike.server.roles import Role

NONE = Raw(b"{}")
NULL = Raw(b"null")


def _none() -> Raw:
    return NONE


def _null() -> Raw:
    return NULL


Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, examples=["the bank is down"])]
Band = Annotated[int, Meta(ge=0, lt=BANDS, description="Priority band: 0 first … 7 last.", examples=[3])]
Seconds = Annotated[float, Meta(ge=0, le=100 * 366 * 86_400)]
Duration = str | float
RunText = Annotated[str, Meta(pattern="^[0-9]{1,19}$", description="A run's id.", examples=["5629499534213120"])]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX)]
Cursor = Annotated[str, Meta(max_length=64, description="`next` of the page before.")]
Count = Annotated[int, Meta(ge=0, le=2_000)]


class Sent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body. What it does not know it refuses."""


class Work(Sent, frozen=True, gc=False):
    """What a run and a node of a graph have in common. `tags`: only a worker that has all of these does it;
    `assigned_to`: only the worker of that name."""

    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX, examples=["mail.send"])] = ""
    arguments: Annotated[Raw, Meta(description="A JSON object by parameter name.")] = msgspec.field(
        default_factory=_none
    )
    priority: Band | None = None
    tags: Annotated[tuple[Name, ...], Meta(max_length=TAGS_MAX)] = ()
    assigned_to: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] | None = None
    queue: Annotated[str, Meta(max_length=NAME_CHARS_MAX, examples=["default"])] = ""
    due_at: Annotated[datetime, Meta(tz=True)] | None = None
    delay_seconds: Seconds | None = None
    expires_seconds: Seconds | None = None
    retry: Backoff | Annotated[int, Meta(ge=1, le=100)] | None = None
    timeout_seconds: Seconds | None = None
    on_unknown: OnUnknown | None = None
    owner: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""


class NewRun(Work, frozen=True, gc=False):
    """A run to be stored (R2.1).

    `task` is the handler's name. Without one, `task_id` names a piece of work for whichever agent does the task `task`:
    it gets `task_id`, `description` and `tags` as its arguments. `task_id`, or `key`, is remembered: a second run with
    it is not stored, and the answer is the first one. `dependencies`: the `task_id` (or `key`) of work that has to
    succeed first: of the same request, or done before.
    """

    task_id: Annotated[str, Meta(max_length=KEY_CHARS_MAX, examples=["order-17"])] = ""
    description: Annotated[str, Meta(max_length=4_000)] = ""
    dependencies: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=KEY_CHARS_MAX)], ...], Meta(max_length=1_000)
    ] = ()
    key: Annotated[str, Meta(max_length=KEY_CHARS_MAX, description="Business key.")] = ""
    key_seconds: Annotated[float, Meta(gt=0, le=90 * 86_400)] = 86_400.0


class NewNode(Work, frozen=True, kw_only=True):
    """One run of a graph. In its arguments `{"$result": "NAME"}` stands for what the node of that name returns: it
    waits for that. `after`: nodes that it waits for besides; `when`: by node, the branch that has to be chosen."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, examples=["parse"])]
    after: Annotated[tuple[Name, ...], Meta(max_length=1_000)] = ()
    when: Annotated[dict[Name, Name], Meta(max_length=1_000)] = msgspec.field(default_factory=dict)
    on_parent: OnParent = OnParent.SKIP
    approval_seconds: Annotated[float, Meta(gt=0, le=90 * 86_400)] | None = None


class NewGraph(Sent, frozen=True):
    """Runs that wait for each other, stored in one step. With `key`, while that is remembered, once."""

    nodes: Annotated[list[NewNode], Meta(min_length=1, max_length=GRAPH_NODES_MAX)]
    key: Annotated[str, Meta(max_length=KEY_CHARS_MAX, description="Business key.")] = ""
    key_seconds: Annotated[float, Meta(gt=0, le=90 * 86_400)] = 86_400.0


class NodesWanted(Sent, frozen=True):
    """Which nodes of a graph are shown."""

    cursor: Annotated[int, Meta(ge=0, le=1_000_000, description="`next` of the page before.")] = 0
    limit: Annotated[int, Meta(ge=1, le=GRAPH_NODES_MAX)] = GRAPH_NODES_MAX


class Digest(Sent, frozen=True):
    """What is approved or refused: exactly what was looked at."""

    digest: Annotated[str, Meta(min_length=1, max_length=200)]


class NewRuns(Sent, frozen=True):
    """Runs that are stored all or none."""

    runs: Annotated[list[NewRun], Meta(min_length=1, max_length=BULK_RUNS_MAX)]


class Change(Sent, frozen=True):
    """Where a waiting run goes: another time, another priority, or both."""

    run_at: Annotated[datetime, Meta(tz=True)] | None = None
    priority: Band | None = None


class Why(Sent, frozen=True):
    """A reason, which is kept."""

    reason: Reason


class MaybeWhy(Sent, frozen=True):
    """A reason, if there is one to tell."""

    reason: Annotated[str, Meta(max_length=500)] = "cancelled by request"


class RunsWanted(Sent, frozen=True):
    """Which runs a list shows, newest first."""

    state: Annotated[tuple[str, ...], Meta(max_length=10, description="Of these states.", examples=[["dead"]])] = ()
    task: str = ""
    queue: str = ""
    schedule: str = ""
    key: str = ""
    ahead: Annotated[bool, Meta(description="Also planned moments that lie ahead.")] = False
    cursor: Cursor = ""
    limit: Limit = PAGE


class Waiting(Sent, frozen=True):
    """How long to wait for a run to be over."""

    wait_seconds: Annotated[float, Meta(ge=0, le=WAIT_SECONDS_MAX)] = 0.0


class NewSchedule(Sent, frozen=True):
    """A task and when it runs: exactly one of `cron`, `every`, `delay`, `at`."""

    task: Name
    arguments: Annotated[Raw, Meta(description="A JSON object by parameter name.")] = msgspec.field(
        default_factory=_none
    )
    cron: Annotated[str, Meta(max_length=1_000, examples=["0 9 * * mon-fri"])] | None = None
    every: Annotated[Duration, Meta(examples=["10m"])] | None = None
    delay: Annotated[Duration, Meta(description="From the end of one run to the next.")] | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    initial_delay: Duration | None = None
    tz: Annotated[str, Meta(max_length=100, examples=["Asia/Shanghai"])] | None = None
    queue: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    priority: Band | None = None
    retry: Backoff | Annotated[int, Meta(ge=1, le=100)] | None = None
    timeout_seconds: Seconds | None = None
    on_unknown: OnUnknown | None = None
    owner: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    misfire: Misfire = Misfire.ONCE
    misfire_grace: Duration | None = None
    misfire_window: Duration = 0.0
    overlap: Overlap = Overlap.ALLOW
    overlap_max: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    jitter: Duration = 0.0
    start: Annotated[datetime, Meta(tz=True)] | None = None
    end: Annotated[datetime, Meta(tz=True)] | None = None
    count: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    expires: Duration = 0.0


class Language(Sent, frozen=True):
    """Of the plain words."""

    lang: Literal["en", "zh"] = "en"


class Pause(Sent, frozen=True):
    """Why, and perhaps until when."""

    reason: Reason
    until: Annotated[datetime, Meta(tz=True)] | None = None


class HowMany(Sent, frozen=True):
    """Of a list that has no end."""

    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 10


class Fill(Sent, frozen=True):
    """Past moments that have no run, in [start, end)."""

    start: Annotated[datetime, Meta(tz=True)]
    end: Annotated[datetime, Meta(tz=True)]
    limit: Annotated[int, Meta(ge=1, le=5_000)] = 5_000
    dry_run: bool = False


class LettersWanted(Sent, frozen=True):
    """Which dead letters."""

    task: str = ""
    cursor: Cursor = ""
    limit: Limit = PAGE


class Letters(Sent, frozen=True):
    """Dead letters to deal with: these, or all of one task."""

    runs: Annotated[list[RunText], Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    task: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""


class Interval(Sent, frozen=True):
    """What an audit looks at: moments in [start, end)."""

    start: Annotated[datetime, Meta(tz=True)]
    end: Annotated[datetime, Meta(tz=True)]
    only: Annotated[tuple[str, ...], Meta(max_length=100, description="These schedules; else all.")] = ()


class Page(Sent, frozen=True):
    """A page of a list."""

    cursor: Cursor = ""
    limit: Limit = PAGE


class Keeping(Sent, frozen=True):
    """How much of the log stays."""

    keep_days: Annotated[float, Meta(ge=1, le=36_500)]


class NewAccess(Sent, frozen=True):
    """An access key to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, examples=["ci"])]
    role: Role
    queues: Annotated[tuple[Name, ...], Meta(max_length=100, description="Only these; none: all.")] = ()
    days: Annotated[float, Meta(ge=0, le=3_650, description="Valid for so long; 0: until it is revoked.")] = 0.0
    per_second: Annotated[float, Meta(ge=0, le=1e9, description="Requests; 0: the usual number.")] = 0.0


class Rotation(Sent, frozen=True):
    """How long the old secret works beside the new one."""

    grace_seconds: Annotated[float, Meta(ge=0, le=30 * 86_400)] = 86_400.0


class NewReport(Sent, frozen=True):
    """How work ended that was answered with 202. `refused`: it never will be done; `retry`: again, after a while."""

    outcome: Literal["ok", "failed", "retry", "refused"]
    result: Raw = msgspec.field(default_factory=_null)
    error: Annotated[str, Meta(max_length=4_000)] = ""
    delay_seconds: Seconds = 0.0


# ---------------------------------------------------------------- workers in any language


class NewWorker(Sent, frozen=True):
    """A worker that presents itself."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, examples=["resizer-1"])]
    host: Annotated[str, Meta(max_length=NAME_CHARS_MAX)] = ""
    lease_seconds: Annotated[float, Meta(ge=5, le=3_600)] = 30.0


class Wanted(Sent, frozen=True):
    """How many runs of one queue."""

    queue: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)] = "default"
    count: Annotated[int, Meta(ge=1, le=1_000)] = 1


class NewClaim(Sent, frozen=True):
    """A request for work. `number` counts a session's claims from 1; the same number again brings the same batch."""

    number: Annotated[int, Meta(ge=1, lt=1 << 62)]
    tasks: Annotated[list[Name], Meta(min_length=1, max_length=1_000, examples=[["resize"]])]
    queues: Annotated[list[Wanted], Meta(min_length=1, max_length=100)] = msgspec.field(
        default_factory=lambda: [Wanted()]
    )
    wait_seconds: Annotated[float, Meta(ge=0, le=WAIT_SECONDS_MAX)] = 0.0


class Progress(Sent, frozen=True):
    """How far a run is, and what it said last."""

    run: RunText
    token: Annotated[int, Meta(ge=1, lt=1 << 62)]
    value: Raw = msgspec.field(default_factory=_null)
    log: Annotated[list[Annotated[str, Meta(max_length=4_000)]], Meta(max_length=100)] = msgspec.field(
        default_factory=list
    )


class NewBeat(Sent, frozen=True):
    """A sign of life. `holds`: the tokens still worked on; `received`: the highest claim whose answer came."""

    number: Annotated[int, Meta(ge=1, lt=1 << 62)]
    received: Annotated[int, Meta(ge=0, lt=1 << 62)]
    holds: Annotated[list[Annotated[int, Meta(ge=1, lt=1 << 62)]], Meta(max_length=2_000)]
    lease_seconds: Annotated[float, Meta(ge=5, le=3_600, description="As when it was opened.")] = 30.0
    progress: Annotated[list[Progress], Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    tasks: Annotated[list[Name], Meta(max_length=1_000)] = msgspec.field(default_factory=list)
    queues: Annotated[list[Name], Meta(max_length=100)] = msgspec.field(default_factory=list)
    tags: Annotated[tuple[Name, ...], Meta(max_length=TAGS_MAX, description="What routes may ask for.")] = ()
    slots: Annotated[int, Meta(ge=0, le=10_000, description="Runs at once; 0: no route may choose it.")] = 0
    busy: Annotated[int, Meta(ge=0, le=1_000_000, description="Runs that it works on.")] = 0


class NewAck(Sent, frozen=True, gc=False):
    """How an attempt ended. `retry`, `snooze`: again after `delay_seconds`; `release`: it was never begun."""

    run: RunText
    token: Annotated[int, Meta(ge=1, lt=1 << 62)]
    outcome: Literal["ok", "failed", "retry", "snooze", "cancelled", "release"]
    result: Raw = msgspec.field(default_factory=_null)
    error: Annotated[str, Meta(max_length=4_000)] = ""
    log: Annotated[str, Meta(max_length=16_000, description="What it said, where it failed.")] = ""
    delay_seconds: Seconds = 0.0
    seconds: Annotated[Seconds, Meta(description="How long the handler took.")] = 0.0


class NewAcks(Sent, frozen=True):
    """Ends of attempts, answered one by one."""

    acks: Annotated[list[NewAck], Meta(min_length=1, max_length=ACKS_MAX)]
