"""What the write verbs of a store take and answer."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from shike.bounds import BANDS, CLAIM_RUNS_MAX
from shike.model import Manner, Run, State, TimetableRow
from shike.store.guards import Effect, Entry, Guard


class Submitted(Struct, frozen=True, gc=False):
    """The answer to one entry: its id, or that of the run which holds the key already (`fresh` is then False)."""

    run_id: int
    fresh: bool
    due_at: int
    refused: str = ""  # the guard that did not hold, where nothing was stored


class NewSession(Struct, frozen=True, kw_only=True):
    """A process that presents itself. `identity` is random and never used twice."""

    identity: str
    name: str
    kind: str
    host: str
    pid: int
    lease_seconds: float  # 0: it does not beat and holds nothing
    protocol: int


class Beat(Struct, frozen=True, kw_only=True):
    """One sign of life renews everything the session holds.

    `received` is the highest claim whose reply arrived and `holds` the tokens of the leases it still works on: any
    older lease that is not named is released, so a lost reply cannot be kept alive by beats.
    """

    session: str
    number: int  # grows; an older beat that comes late changes nothing
    lease_seconds: float
    received: int
    holds: tuple[int, ...]
    load: bytes = b""
    progress: tuple[tuple[int, int, bytes], ...] = ()  # (run id, token, what the handler reported)


class BeatReply(Struct, frozen=True, kw_only=True):
    """What a session learns with each beat."""

    now: int
    expires_at: int
    cancels: tuple[tuple[int, int], ...] = ()  # (run id, token) that should stop
    eligible: tuple[str, ...] = ()  # queues with work that could be claimed now: the polling fallback


class Want(Struct, frozen=True, gc=False):
    """How many runs of one queue, of which at most `backlog` from the backlog band."""

    queue: str
    count: int
    backlog: int


class Claim(Struct, frozen=True, kw_only=True):
    """A request for work. `number` counts a session's claims from 1, one at a time; a repeat returns the same batch."""

    session: str
    number: int
    wants: tuple[Want, ...]
    tasks: frozenset[str]  # only these are granted
    suspects: Manner = Manner.TOGETHER  # how suspects may be granted; ORDINARY: not now
    suspects_max: int = CLAIM_RUNS_MAX  # how many of them
    bands: tuple[int, ...] = tuple(range(BANDS))  # the order in which bands are served
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (tag, those of its tasks that have it): `store.pauses`


class Claimed(Struct, frozen=True, gc=False):
    """One granted run. `attempt` counts from 1."""

    run: Run
    token: int
    attempt: int
    run_at: int
    crashes: int = 0
    together: int = 0  # `Live.together`; 0: no lease of it was ever lost


class Batch(Struct, frozen=True, kw_only=True):
    """The answer to a claim. It holds suspects or others, as `manner` says. `more`: the store had more to give."""

    number: int
    now: int
    runs: list[Claimed]
    manner: Manner = Manner.ORDINARY
    more: bool = False
    next_at: int = 0  # the earliest run_at still ahead in the wanted queues; 0: none


class Ack(Struct, frozen=True, gc=False):
    """How an attempt ended. `state` is where the run goes: a terminal state, FAILED (again at `run_at`), or
    SCHEDULED (snoozed or given back: the attempt does not count)."""

    run_id: int
    token: int
    state: State
    delay_seconds: float = 0.0  # FAILED, SCHEDULED: eligible so long after the store's now …
    run_at: int = 0  # … or at this instant, where it is set
    reason: str = ""
    result: bytes = b""
    trace: bytes = b""  # the packed `Attempt`; empty where nothing began
    effects: tuple[Effect, ...] = ()
    died: bool = False  # the process that it had to itself died over it: of a run that was granted `APART`, FAILED


class Answer(IntEnum):
    """What became of an acknowledgement or a change."""

    ACCEPTED = 0
    ALREADY = 1  # this very acknowledgement was accepted before
    REFUSED = 2  # the lease is another's now, or the row is no longer as the caller saw it
    UNKNOWN = 3  # nothing is known of such a run
    ASKED = 4  # a running run was asked to stop; its worker will say how it ended
    GUARDED = 5  # a guard did not hold; nothing was changed


class Move(Struct, frozen=True, kw_only=True):
    """A change to a run that is not settled by its worker: by an operator or a node.

    `to`: SCHEDULED (admitted, promoted, rescheduled; into the lane it was submitted to), ASSIGNED (into the own lane of
    the session `worker`; refused if that is closed or unknown), WAITING (it stays before its gate, in another band or
    until another time; or, with a `run`, before the gate which that has), CANCELLED, SKIPPED or DEAD. A running run can
    only be asked to stop. None for `run_at` or `band` leaves it. A `note` (a packed `Attempt` in state ASSIGNED) is
    kept with the run's attempts under the version that the run has then: `Query.decisions`. A `run` is the same run for
    another queue, gate or with other options, and takes the place of what was submitted; only with a `version`, and
    with SCHEDULED or, from a gate or a shared lane, WAITING.
    """

    run_id: int
    version: int  # of the `Live` the caller saw; 0: any, for an operator's plain words
    to: State
    run_at: int | None = None
    band: int | None = None
    reason: str = ""
    guards: tuple[Guard, ...] = ()
    worker: str = ""
    note: bytes = b""
    run: Run | None = None


class PlannedMoment(Struct, frozen=True, gc=False):
    """A moment and the run it becomes."""

    moment: int
    ordinal: int
    due_at: int
    entry: Entry


class Plan(Struct, frozen=True, kw_only=True):
    """One step of planning: moves the cursor of `schedule` from `cursor` to `to`, and writes what lies between.

    Refused as a whole if the schedule's version, cursor or `plan_at` is another, if it is paused and there are moments
    to plan, or if the epoch is old. A pause that came and went in between leaves version and cursor as they were, and
    `plan_at` not. A moment that has a row already is left as it is: its identity is `(schedule, moment)`.
    """

    schedule: str
    version: int
    cursor: int
    plan_at_seen: int
    to: int
    ordinal: int
    plan_at: int
    bucket: int
    epoch: int
    moments: tuple[PlannedMoment, ...] = ()
    ranges: tuple[TimetableRow, ...] = ()


class Division(Struct, frozen=True, kw_only=True):
    """Buckets that lie side by side, and the ranges that take their place: exactly the same virtual buckets.

    One word for four deeds. *Take*: the same range, `owner` oneself. *Give*: the same range, `owner` another session,
    or nobody (""). *Split*: one becomes several. *Merge*: several become one. No key moves by any of them.
    """

    session: str  # who says so; open
    owner: str  # whose the new ones are: an open session's, or nobody's
    old: tuple[tuple[int, int], ...]  # (low, epoch) as they were seen, in order
    new: tuple[tuple[int, int], ...]  # (low, high), in order
    silent: tuple[tuple[str, int], ...] = ()  # (session, its last beat): open, but not heard of since that beat


class Freed(Struct, frozen=True, kw_only=True):
    """What a rescue put back: eligible again, or dead because of what its task said of unknown outcomes."""

    requeued: tuple[int, ...] = ()
    dead: tuple[int, ...] = ()
    left: bool = False  # more leases of that session remain


class Retention(Struct, frozen=True, kw_only=True):
    """What to keep, in seconds before the store's now."""

    success_seconds: float
    dead_seconds: float
    receipt_seconds: float
    session_seconds: float
    rows_max: int
