"""The same change for all waiting runs that fit: counted first, then made in steps, each run by compare-and-set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from shike.bands import check_band
from shike.errors import BadInput
from shike.lanes import hall_of, queue_of
from shike.model import Live, Route, State
from shike.store.base import RunFilter, Store
from shike.store.verbs import Answer, Move
from shike.waiting.moves import WAITS, changed, is_held, rerouted

PAGE_RUNS: Final = 1_000  # read, and moved, at a time
RUNS_MAX: Final = 1_000_000  # of one change: what is beyond is left, and said to be

Making: TypeAlias = Callable[[Live], Move | None]  # None: it cannot be done to this one


class Which(Struct, frozen=True, kw_only=True):
    """Runs that wait: all conditions that are set hold. None of them set would be everything, which nobody means."""

    task: str = ""
    queue: str = ""
    schedule: str = ""  # group/name
    key: str = ""
    band: int | None = None
    states: tuple[State, ...] = ()  # of those that wait; none: all of them

    def __post_init__(self) -> None:
        if not (self.task or self.queue or self.schedule or self.key or self.band is not None):
            raise BadInput("say which runs: a task, a queue, a schedule, a key or a band")
        for name in ("task", "queue", "schedule", "key"):
            if not isinstance(getattr(self, name), str):
                raise BadInput(f"{name}={getattr(self, name)!r:.40} is no text")
        if self.band is not None:
            check_band(self.band)
        if strange := [getattr(state, "name", repr(state)) for state in self.states if state not in WAITS]:
            raise BadInput(
                f"a run that is {strange[0]} does not wait; there are {', '.join(one.name for one in WAITS)}"
            )


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a change of many."""

    found: int  # that fit, when they were looked at
    moved: int = 0
    changed: int = 0  # began, ended or were changed by somebody else in between: left as they are
    held: int = 0  # wait for others, or before a gate where this cannot be done


async def count(store: Store, which: Which) -> int:
    """How many runs fit now: the preview of a change. It costs as much as reading them."""
    found = 0
    async for page in _pages(store, which):
        found += len(page)
    return found


async def change(store: Store, which: Which, *, run_at: int | None = None, band: int | None = None) -> Outcome:
    """Another time or band for all that fit."""
    if run_at is None and band is None:
        raise BadInput("say where to: a time, a band, or both")
    return await _make(
        store, which,
        lambda live: None if run_at is not None and is_held(live) else changed(live, run_at=run_at, band=band),
    )  # fmt: skip


async def reroute(store: Store, which: Which, *, queue: str = "", route: Route | str | None = None) -> Outcome:
    """Another queue or route for all that fit and are before no gate."""
    if not queue and route is None:
        raise BadInput("say where to: a queue, a route, or both")

    def make(live: Live) -> Move | None:
        if live.state is State.WAITING:
            return None
        run = rerouted(live.run, queue, route)
        return Move(run_id=run.id, version=live.version, to=State.SCHEDULED, run=run)

    return await _make(store, which, make)


async def _make(store: Store, which: Which, make: Making) -> Outcome:
    found = moved = lost = held = 0
    async for page in _pages(store, which):
        moves = [move for live in page if (move := make(live)) is not None]
        answers = await store.move(moves) if moves else []
        found += len(page)
        moved += answers.count(Answer.ACCEPTED)
        guarded = answers.count(Answer.GUARDED)
        held += len(page) - len(moves) + guarded
        lost += len(answers) - answers.count(Answer.ACCEPTED) - guarded
        await asyncio.sleep(0)
    return Outcome(found=found, moved=moved, changed=lost, held=held)


async def _pages(store: Store, which: Which) -> AsyncIterator[list[Live]]:
    """The newest first. A change moves no run to another id, so each is met once."""
    if not isinstance(which, Which):
        raise BadInput(f"{which!r:.60} does not say which runs: give Which(task='…')")
    states = which.states or WAITS
    wanted = RunFilter(
        states=states, task=which.task, queue=which.queue, schedule=which.schedule, key=which.key, limit=PAGE_RUNS
    )
    queues = (which.queue, hall_of(which.queue)) if which.queue else ("",)
    looked_at = 0
    for queue in queues:
        before = 0
        while looked_at < RUNS_MAX:
            rows = await store.runs(replace(wanted, queue=queue, before=before))
            looked_at += len(rows)
            if page := [row for row in rows if isinstance(row, Live) and _fits(row, which)]:
                yield page
            if len(rows) < PAGE_RUNS:
                break
            before = rows[-1].run.id


def _fits(live: Live, which: Which) -> bool:
    if live.state is State.RUNNING or (which.band is not None and live.band != which.band):
        return False
    return not which.queue or queue_of(live.run.queue) == which.queue
