"""The store protocol: thirteen write verbs, each one atomic step that may be repeated, and the read side.

Three rules hold for every store and every verb:

1. *The store's clock decides.* Nothing is granted, expired or purged by a time that a caller sent.
2. *A worker's verb carries its lease.* `(run, token, session)` is compared with the lease in the same step
   (P3); an operator's verb compares the run's `version`; a node's write carries its bucket's epoch.
3. *A repeat is harmless.* A caller that did not hear an answer sends the same words again and is told what
   became of the first: a claim repeats its batch, a settled acknowledgement is `ALREADY`, a submitted run is
   found, a plan finds its cursor moved.

Policies (retry, dedupe, overlap, catch-up) are no part of a store. They are compiled, elsewhere, to *guards*
(checked) and *effects* (done) of a verb: `shike.store.guards`. What the verbs take and answer is in
`shike.store.verbs`, what listeners are told in `shike.store.hints`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from msgspec import Struct, field

from shike.bounds import SESSIONS_LISTED
from shike.lanes import queue_of
from shike.model import (
    TERMINAL,
    Attempt,
    Bucket,
    Ended,
    Live,
    Planned,
    Schedule,
    ScheduleVersion,
    Session,
    State,
    TimetableRow,
)
from shike.store.guards import Entry
from shike.store.hints import Hint
from shike.store.verbs import (
    Ack,
    Answer,
    Batch,
    Beat,
    BeatReply,
    Claim,
    Division,
    Freed,
    Move,
    NewSession,
    Plan,
    Retention,
    Submitted,
)

STANDING_COUNTED: Final = 1_000  # of a lane: more is "too many" to whoever balances
QUEUE_SWITCH: Final = "queue/"  # `store.pauses`: QUEUE_SWITCH + name: a control row that pauses the queue of that name
TIMETABLE_FROM: Final = "timetable/from"  # a control row: UTC µs, in digits; none where nothing was ever dropped


class Gated(Struct, frozen=True, gc=False):
    """A run that waits for its permit, with what is known of it."""

    run_id: int
    version: int
    gate: str
    run_at: int


class Standing(Struct, frozen=True, gc=False):
    """A hall, or one worker's own lane, in which runs are eligible."""

    lane: str  # `shike.lanes`
    runs: int  # at most STANDING_COUNTED
    first_at: int  # the earliest run_at among them


class RunFilter(Struct, frozen=True, kw_only=True):
    """Which runs a list shows, newest first. Empty: all."""

    states: tuple[State, ...] = ()
    task: str = ""
    queue: str = ""
    schedule: str = ""
    key: str = ""
    before: int = 0  # run id to go on from
    limit: int = 50

    @property
    def may_live(self) -> bool:
        """Whether a live run can fit: else nobody has to look through the hot tables."""
        return not self.states or not TERMINAL.issuperset(self.states)

    @property
    def may_be_over(self) -> bool:
        """Whether one that is over can fit."""
        return not self.states or not TERMINAL.isdisjoint(self.states)

    @property
    def may_be_history(self) -> bool:
        """Whether one that is over and no dead letter can fit: those lie apart."""
        return not self.states or any(state in TERMINAL and state is not State.DEAD for state in self.states)


class Control(Struct, frozen=True, kw_only=True):
    """A small row of settings or switches, changed by compare-and-set. `queue/NAME` = b"paused …" pauses a queue."""

    key: str
    value: bytes
    version: int


class Counts(Struct, frozen=True, kw_only=True):
    """How much there is of what."""

    waiting: int = 0
    scheduled: int = 0
    eligible: int = 0
    running: int = 0
    failed: int = 0
    ended: dict[str, int] = field(default_factory=dict)  # by state name
    dead: int = 0
    by_queue: dict[str, int] = field(default_factory=dict)  # live runs, routed or not


def by_queue_name(lanes: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts by lane as counts by queue: halls and workers' own lanes are their queue's."""
    found: dict[str, int] = {}
    for lane, count in lanes:
        queue = queue_of(lane)
        found[queue] = found.get(queue, 0) + count
    return found


class Query(Protocol):
    """The read side. No read changes anything, and none is part of a promise but `P7`'s audit."""

    async def now(self) -> int:
        """The store's clock, UTC µs."""
        ...

    async def live(self, run_id: int) -> Live | None:
        """A run that is not over."""
        ...

    async def ended(self, run_id: int) -> Ended | None:
        """A run that is over, as long as its history is kept; dead letters too."""
        ...

    async def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        """Those of these runs that are over, as `ended` tells them, in one look."""
        ...

    async def find(self, run_id: int) -> Live | Ended | None:
        """A run, over or not, in one look; None: never stored, or dropped since."""
        ...

    async def runs(self, wanted: RunFilter) -> list[Live | Ended]:
        """The newest `wanted.limit` runs that fit, by id."""
        ...

    async def attempts(self, run_id: int) -> list[Attempt]:
        """Every attempt of a run that was written down, oldest first."""
        ...

    async def decisions(self, run_id: int) -> list[Attempt]:
        """The notes of the routers that put a run into workers' lanes, oldest first."""
        ...

    async def lanes(self) -> list[Standing]:
        """Every hall and every worker's own lane in which something is eligible, by name. Costs nothing to speak of
        where nothing is routed."""
        ...

    async def standing(self, lane: str, limit: int) -> list[Live]:
        """The first `limit` eligible runs of a hall or of a worker's own lane, by band, run_at and id."""
        ...

    async def of_band(self, lane: str, band: int, after: int, limit: int) -> list[Live]:
        """The first `limit` eligible runs of one band of a lane that have run_at > `after`, by (run_at, id), without
        suspects. Costs what it returns."""
        ...

    async def due(self, low: int, high: int, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        """(run_at, queue) of runs in shared lanes of virtual buckets low…high with after < run_at ≤ until,
        earliest first, one entry per distinct (run_at, queue). Of what is eligible already only the earliest of
        each queue: who reads this wakes workers, and a backlog must cost no more than its first run."""
        ...

    async def gated(self, low: int, high: int, after: int, until: int, limit: int) -> list[Gated]:
        """Runs that wait for a permit, by run_at, in the same window. Of those whose moment has come only the first
        at each gate."""
        ...

    async def holders(self, gate: str) -> list[int]:
        """The runs that hold a permit, in the order they got it."""
        ...

    async def gate_waiters(self, gate: str, limit: int) -> list[Gated]:
        """The first `limit` runs that wait for one permit, by (run_at, id). Costs what it returns."""
        ...

    async def schedule(self, name: str) -> Planned | None:
        """The newest version of a schedule, also of a deleted one (which says so); None: there never was one."""
        ...

    async def schedules(self) -> list[Planned]:
        """All there ever were, by name; deleted ones say so."""
        ...

    async def versions(self, name: str) -> list[ScheduleVersion]:
        """Every version of a schedule that rows of the timetable may tell of, oldest first; deleted ones too."""
        ...

    async def to_plan(self, low: int, high: int, until: int, limit: int) -> list[Planned]:
        """Schedules of these virtual buckets whose plan_at ≤ until (paused ones too), earliest first."""
        ...

    async def timetable(self, schedule: str, start: int, end: int) -> list[TimetableRow]:
        """Rows that touch [start, end), by moment."""
        ...

    async def sessions(self, *, all: bool = False, limit: int = SESSIONS_LISTED) -> list[Session]:
        """Open sessions that beat; or, of all that are remembered, the newest `limit`. By number."""
        ...

    async def left_over(self) -> list[Session]:
        """Closed sessions that still hold leases or own buckets: what is to be freed. By number."""
        ...

    async def held(self, session: str) -> int:
        """How many leases of this session are not settled."""
        ...

    async def buckets(self) -> list[Bucket]:
        """All buckets with their owners and epochs, by range."""
        ...

    async def dead(self, limit: int, before: int = 0, task: str = "") -> list[Ended]:
        """Dead letters, newest first."""
        ...

    async def unsuccessful(self, since: int, behind: int, limit: int) -> list[Ended]:
        """Runs that came to another end than success, dead letters among them, by (ended_at, id) from behind
        (`since`, `behind`) on: the next page begins behind the last one. Costs what it returns. A step that is under
        way may still end runs at an instant that was read."""
        ...

    async def controls(self, prefix: str) -> list[Control]:
        """The control rows whose key begins so, by key."""
        ...

    async def counts(self) -> Counts:
        """How much there is of what, now. May cost as much as there are runs under way; not for a hot path."""
        ...


class Store(Query, Protocol):
    """Where the truth is. `virtual_buckets` is fixed when the store is made."""

    url: str
    namespace: str
    virtual_buckets: int
    any_thread: bool  # whether verbs may be called from any thread's event loop
    blocks: bool  # whether they may be called where no event loop runs, too: there they block (`shike.runtime.driven`)

    async def open(self) -> None:
        """Connect, check that this is a Shike store of a version we can read, migrate. Raises `ForeignStore`."""
        ...

    async def close(self) -> None:
        """Finish what was handed over, then let go. Idempotent."""
        ...

    def listen(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        """Be told of commits, here and in other processes where the store can; returns the way to stop. The callback
        is called in the event loop that called `listen`, and must not block."""
        ...

    def tell(self, hint: Hint) -> None:
        """Pass a hint on to every listener, here and in other processes, without a commit."""
        ...

    def is_gone(self, session: str) -> bool:
        """Whether the store can prove, without waiting for a lease, that the session's process is dead."""
        ...

    def is_alive(self, session: str) -> bool:
        """Whether the store can prove that the session's process lives, though its lease may be over: it slept, was
        stopped, or holds its interpreter. Where nothing can be proved both this and `is_gone` are False."""
        ...

    async def open_session(self, new: NewSession) -> Session:
        """Register a process under its random identity; gives it a number that is never used again."""
        ...

    async def beat(self, beat: Beat) -> BeatReply:
        """Renew all leases and buckets of a session. Raises `SessionClosed` once it was closed, for ever."""
        ...

    async def close_session(self, session: str, *, seen_beat: int | None, reason: str) -> bool:
        """Close a session for ever. `seen_beat`: only if its last beat is still that one and its time is over by the
        store's clock (`shike.store.expiry`) or its process is provably gone (a rescuer's words: it has seen no beat for
        a whole lease on a clock of its own); None: the session's own good-bye.
        False if it was not closed. Repeating is harmless: a closed session answers True."""
        ...

    async def free(self, session: str, limit: int) -> Freed:
        """Give back what a *closed* session held, at most `limit` leases: runs become eligible now; the lost attempt
        is written down but does not count as a failure. What that makes of them decides `shike.store.lost`: runs of a
        process that died are suspects from then on, and one that had been granted as such and was all that it held
        counts a crash; at CRASHES_MAX that is poison, for the dead letters. `on_unknown` other than REPEAT in the run's
        options sends it there at once. Buckets of the session lose their owner."""
        ...

    async def submit(self, entries: Sequence[Entry], *, repeat: bool = False) -> list[Submitted]:
        """Store runs, all of them or none; a guard that does not hold skips its own entry only, and says so.
        A run with a `gate` starts WAITING for its permit. `repeat`: the first answer was lost, so look whether
        these very ids were stored (or even ended) before."""
        ...

    async def claim(self, claim: Claim) -> Batch:
        """Lease eligible runs: run_at ≤ the store's now, band by band in the order asked for, by (run_at, id) inside
        a band, only tasks and queues asked for, no paused queue. Suspects are granted first, and among themselves:
        `TOGETHER` no more of them than each of them allows (`Live.together`), `APART` at most `suspects_max`. Raises
        `SessionClosed` for a session that is closed or whose lease is over."""
        ...

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        """Accept how attempts ended, each compared with its lease (P3). Terminal runs leave the live tables for the
        history with their permits and effects in the same step. Never raises for a stale one: it answers."""
        ...

    async def move(self, moves: Sequence[Move]) -> list[Answer]:
        """Change runs that are not settled by a worker; each is its own compare-and-set."""
        ...

    async def plan(self, plan: Plan) -> bool:
        """Write moments and move the cursor in one step. False: another was there first, look again.
        Raises `StaleEpoch` if the bucket has another owner."""
        ...

    async def put_schedule(self, schedule: Schedule, *, expect: int | None, plan_at: int) -> Planned:
        """Make or edit a schedule. `expect`: the version seen (None: whatever it is; 0: must not exist), else
        `Conflict`. The same definition again changes nothing. An edit withdraws unclaimed future moments of the old
        version, each with its row, and sets the cursor to the store's now."""
        ...

    async def control_schedule(
        self,
        name: str,
        *,
        paused: bool | None = None,
        reason: str = "",
        resume_at: int = 0,
        delete: bool = False,
    ) -> Planned:
        """Pause (unclaimed future runs are withdrawn), resume (planning goes on from now), or delete. `NotFound`."""
        ...

    async def divide(self, division: Division) -> list[Bucket]:
        """Take, give away, split or merge buckets. Each old one must be in the epoch seen and be the caller's,
        nobody's, a closed or forgotten session's, or that of a session in `silent` whose last beat is still that one.
        The new ones are `division.owner`'s, all in the epoch after the highest of the old. Otherwise `Conflict` with
        the facts, and nothing is changed; `SessionClosed` for a caller that is closed; `BadInput` for ranges that do
        not fit each other. A repeat finds its own work and answers the same (`shike.store.dividing` decides)."""
        ...

    async def put(self, key: str, value: bytes | None, *, expect: int | None) -> Control | None:
        """Write a control row (None deletes it), by compare-and-set on its version. Raises `Conflict`."""
        ...

    async def purge(self, keep: Retention) -> int:
        """Drop what is older than it has to be kept, at most `rows_max` rows or one partition; how much went.
        The control row `TIMETABLE_FROM` tells from which instant on the timetable is still whole."""
        ...

    async def drop_dead(self, run_ids: Sequence[int]) -> int:
        """Forget dead letters a person has dealt with; how many there were. Their last state stays in the timetable."""
        ...
