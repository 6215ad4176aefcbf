"""A recorded stretch of routing, decided again offline by another strategy: what would have waited how long (R2.3).

What is known: each routed run's first decision with the snapshot of the workers that it was made from, and when its
attempts began and ended. Decisions are made again from those snapshots, or, where those are not kept any more, from the
last one before that is: of an hour there is one each half minute. What they would have led to is a model,
the same for both: each worker begins what it was given in order, so many at once as it has slots, and a run takes on
another worker as much longer as that one's runs take longer than the first one's. The loads in the snapshots are those
which the recorded decisions led to: a strategy that goes by load sees yesterday's load, not its own.
"""

from __future__ import annotations

import asyncio
import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from shike.clock import MICROS
from shike.errors import BadInput, NotFound
from shike.model import TERMINAL, Attempt, Ended, Live, Route, Run, State
from shike.route.bounds import HOUR_STEP_SECONDS
from shike.route.chooser import Chooser
from shike.route.nouns import Ask, Candidate, Decision, Snapshot, unpack, unpack_snapshot
from shike.route.registry import check
from shike.route.tags import ANY
from shike.scheduler.router import HOUR_ROW, SNAPSHOT_ROW
from shike.store.base import RunFilter, Store
from shike.track.owed import owed_at
from shike.track.settle import options_of

RUNS_READ_MAX: Final = 50_000  # looked at, newest first
PAGE: Final = 500
READS_AT_ONCE: Final = 32
OLD_SECONDS_MAX: Final = 2 * HOUR_STEP_SECONDS  # before a decision: an older snapshot tells of another time
SLOWER_MAX: Final = 10.0  # no worker is believed to be more than so much slower, or quicker, than another


class Recorded(Struct, frozen=True, gc=False):
    """One routed run: its first decision, and how long its first attempt took."""

    run: Run
    route: Route
    decision: Decision
    decided_at: int
    started_at: int
    owed_at: int  # `shike.track.owed`
    seconds: float


class Waits(Struct, frozen=True, kw_only=True):
    """How a stretch went, or would have gone. Waits are from the moment that a run was due, or let go."""

    by: str
    runs: int
    wait_mean_ms: float
    wait_p50_ms: float
    wait_p99_ms: float
    unevenness: float  # runs of the busiest worker ÷ the mean
    workers: dict[str, int]  # runs by worker's name
    unplaced: int = 0  # found nobody until the end


class Replay(Struct, frozen=True, kw_only=True):
    """Three lines to compare: what was measured, what the model makes of it, and of the other strategy."""

    decisions: int
    left_out: int  # no snapshot of their time is kept
    elsewhere: int  # went to another worker
    measured: Waits
    modelled: Waits
    other: Waits


async def replay(store: Store, by: str, *, seconds: float) -> Replay:
    """Decide the last so many seconds again. Raises `UnknownRoute`, `BadInput`, or `NotFound` where nothing was
    recorded."""
    if check(by) == ANY:
        raise BadInput("any makes no decisions: whoever is free claims; compare with another route")
    since = await store.now() - round(seconds * MICROS)
    recorded = await _recorded(store, since)
    if not recorded:
        raise NotFound(f"no run was routed in the last {seconds:g} s: there is nothing to decide again")
    rows = [*await store.controls(SNAPSHOT_ROW), *await store.controls(HOUR_ROW)]
    return redecided(recorded, [one for row in rows if (one := unpack_snapshot(row.value))], by)


def redecided(recorded: Iterable[Recorded], kept: Iterable[Snapshot], by: str) -> Replay:
    """The same, from what was read. Pure; random strategies draw from a seed that is always the same."""
    everything = sorted(recorded, key=lambda one: (one.decided_at, one.run.id))
    snapshots = _nearest(everything, kept)
    known = [one for one in everything if one.run.id in snapshots]
    was = [Placed(one, one.decision.to, one.decided_at) for one in known]
    other, unplaced = _placed(known, snapshots, by)
    workers = {one.session: one for snapshot in snapshots.values() for one in snapshot.workers}
    goes = {one.recorded.run.id: one.to for one in other}
    measured = [(one.started_at - one.owed_at) / MICROS for one in known]
    return Replay(
        decisions=len(known),
        left_out=len(everything) - len(known),
        elsewhere=sum(goes.get(one.run.id, one.decision.to) != one.decision.to for one in known),
        measured=_told("as measured", was, measured, workers),
        modelled=_told("as modelled", was, _waits(was, workers), workers),
        other=_told(by, other, _waits(other, workers), workers, unplaced),
    )


def _nearest(recorded: Iterable[Recorded], kept: Iterable[Snapshot]) -> dict[int, Snapshot]:
    """By run: the snapshot that its decision names, or the last one before it that is kept, if that is not old."""
    by_time = sorted({one.id: one for one in kept}.values(), key=lambda one: one.at)
    by_id, times = {one.id: one for one in by_time}, [one.at for one in by_time]
    found = {}
    for one in recorded:
        place = bisect_right(times, one.decided_at) - 1
        before = by_time[place] if place >= 0 else None
        snapshot = by_id.get(one.decision.snapshot, before)
        if snapshot is not None and one.decided_at - snapshot.at <= OLD_SECONDS_MAX * MICROS:
            found[one.run.id] = snapshot
    return found


class Placed(Struct, frozen=True, gc=False):
    """Which worker has a run, from when on."""

    recorded: Recorded
    to: str
    at: int


def _placed(known: Sequence[Recorded], snapshots: Mapping[int, Snapshot], by: str) -> tuple[list[Placed], int]:
    """Every run decided again; who found no room is tried again with the next snapshot, as the router does."""
    chooser, now = Chooser(Random(0).random), ""
    placed, waiting = list[Placed](), list[Recorded]()
    for one in known:
        if snapshots[one.run.id].id != now:
            now = snapshots[one.run.id].id
            chooser.look(snapshots[one.run.id])
            waiting = [left for left in waiting if not _place(chooser, left, by, one.decided_at, placed)]
        if not _place(chooser, one, by, one.decided_at, placed):
            waiting.append(one)
    return placed, len(waiting)


def _place(chooser: Chooser, one: Recorded, by: str, at: int, placed: list[Placed]) -> bool:
    route, run = replace(one.route, by=by), one.run
    decision = chooser.decide(Ask(run.id, run.task, run.queue, route, route.key or run.key or run.task))
    if decision is not None:
        placed.append(Placed(one, decision.to, at))
    return decision is not None


def _waits(placed: Sequence[Placed], workers: Mapping[str, Candidate]) -> list[float]:
    """How long each waits: a queue with so many servers as its worker has slots."""
    free: dict[str, list[float]] = {}
    waits = []
    for one in placed:
        worker = workers.get(one.to)
        slots = free.setdefault(one.to, [0.0] * (worker.slots if worker is not None else 1))
        start = max(one.at / MICROS, slots[0])
        first = workers.get(one.recorded.decision.to)
        heapq.heapreplace(slots, start + one.recorded.seconds * _slower(first, worker))
        waits.append(start - one.recorded.owed_at / MICROS)
    return waits


def _slower(first: Candidate | None, then: Candidate | None) -> float:
    if first is None or then is None or not first.latency_ms or not then.latency_ms:
        return 1.0
    return min(max(then.latency_ms / first.latency_ms, 1 / SLOWER_MAX), SLOWER_MAX)


def _told(
    by: str, placed: Sequence[Placed], waits: Sequence[float], workers: Mapping[str, Candidate], unplaced: int = 0
) -> Waits:
    ordered = sorted(max(wait, 0.0) * 1000 for wait in waits)
    counts = Counter(one.to for one in placed)
    fleet = len({one.session for one in workers.values()}) or 1
    return Waits(
        by=by,
        runs=len(placed),
        wait_mean_ms=sum(ordered) / len(ordered) if ordered else 0.0,
        wait_p50_ms=ordered[len(ordered) // 2] if ordered else 0.0,
        wait_p99_ms=ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)] if ordered else 0.0,
        unevenness=max(counts.values(), default=0) * fleet / (len(placed) or 1),
        workers={_name(session, workers): count for session, count in sorted(counts.items())},
        unplaced=unplaced,
    )


def _name(session: str, workers: Mapping[str, Candidate]) -> str:
    worker = workers.get(session)
    return f"{worker.name if worker is not None and worker.name else 'worker'}/{session[:8]}"


# -------------------------------------------------------------------- what is recorded


async def _recorded(store: Store, since: int) -> list[Recorded]:
    found, before, read = list[Recorded](), 0, 0
    while read < RUNS_READ_MAX:
        page = await store.runs(RunFilter(limit=PAGE, before=before))
        routed = [(row, route) for row in page if (route := _route(row)) is not None and _is_recent(row, since)]
        for start in range(0, len(routed), READS_AT_ONCE):
            part = routed[start : start + READS_AT_ONCE]
            told = await asyncio.gather(*[_of(store, row.run, route, since) for row, route in part])
            found += [one for one in told if one is not None]
        if len(page) < PAGE:
            break
        before, read = page[-1].run.id, read + len(page)
    return found


def _route(row: Live | Ended) -> Route | None:
    try:
        return options_of(row.run.options).route
    except BadInput:  # a newer program's
        return None


def _is_recent(row: Live | Ended, since: int) -> bool:
    return not isinstance(row, Ended) or row.ended_at >= since


async def _of(store: Store, run: Run, route: Route, since: int) -> Recorded | None:
    """The first decision about a run in that stretch, and the first attempt that came to an end."""
    notes = await store.decisions(run.id)
    first = next((note for note in notes if note.claimed_at >= since), None)
    decision = unpack(first.error) if first is not None else None
    attempt = next((one for one in await store.attempts(run.id) if _is_over(one)), None)
    if first is None or decision is None or attempt is None:
        return None
    seconds = (attempt.ended_at - attempt.started_at) / MICROS
    return Recorded(run, route, decision, first.claimed_at, attempt.started_at, owed_at(run, attempt), seconds)


def _is_over(attempt: Attempt) -> bool:
    return bool(attempt.started_at) and (attempt.state in TERMINAL or attempt.state is State.FAILED)
