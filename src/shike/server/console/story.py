"""The life of one run as stretches of time, each with its cause: what the waterfall of its page draws.

Only what was written down is told. Where a run waited long for a worker, what that worker did meanwhile is looked up
among the newest runs, and shown as evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from shike.clock import MICROS
from shike.errors import ShikeError
from shike.model import Attempt, Ended, Live, State
from shike.operate.facts import last_attempt, state_now
from shike.server.console.rows import Row, rows_of
from shike.store.base import RunFilter, Store

LONG_MICROS: Final = MICROS  # a wait that somebody asks about
LOOKED_AT_MAX: Final = 3_000  # of the newest runs, for what a worker did meanwhile
PAGE: Final = 500
EVIDENCE_SHOWN: Final = 8


class Kind(StrEnum):
    """What a stretch is; the page has a word and a colour for each."""

    UNPLANNED = "unplanned"  # due already, and not created yet
    WAIT = "wait"  # due, and claimed by nobody
    HANDED = "handed"  # claimed, and not begun
    RUN = "run"  # a handler at work
    STEP = "step"  # a part of that
    REST = "rest"  # between two attempts


class Stretch(Struct, frozen=True, kw_only=True):
    """One stretch."""

    kind: Kind
    start: int  # UTC µs
    end: int
    attempt: int = 1
    name: str = ""  # of a step
    is_open: bool = False  # it goes on
    failed: bool = False
    words: str = ""  # an error, or the cause as somebody wrote it down

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / MICROS


class Story(Struct, frozen=True, kw_only=True):
    """All of it. `busy`: by task, what the worker that took it did while it waited; `evidence`: the longest of them."""

    stretches: list[Stretch]
    late_seconds: float | None = None
    worker: str = ""
    busy: dict[str, int] = {}
    evidence: list[Row] = []

    @property
    def start(self) -> int:
        return min((one.start for one in self.stretches), default=0)

    @property
    def micros(self) -> int:
        return max(max((one.end for one in self.stretches), default=1) - self.start, 1)


async def story_of(store: Store, known: Live | Ended, attempts: Sequence[Attempt], now: int) -> Story:
    """From a run and its attempts."""
    stretches = list(_stretches(known, attempts, now))
    started = next((one.started_at for one in attempts if one.started_at), 0)
    late = (started - known.run.due_at) / MICROS if started and known.run.due_at else None
    first = next((one for one in stretches if one.kind is Kind.WAIT), None)
    worker = next((one.worker for one in attempts if one.worker), "")
    if first is None or first.end - first.start < LONG_MICROS or not worker:
        return Story(stretches=stretches, late_seconds=late, worker=worker)
    meanwhile = await _meanwhile(store, known.run.id, worker, first.start, first.end)
    longest = sorted(meanwhile, key=lambda one: one.ended_at, reverse=True)[:EVIDENCE_SHOWN]
    return Story(
        stretches=stretches,
        late_seconds=late,
        worker=worker,
        busy=dict(Counter(one.run.task for one in meanwhile).most_common(5)),
        evidence=rows_of(longest, now),
    )


def _stretches(known: Live | Ended, attempts: Sequence[Attempt], now: int) -> Iterator[Stretch]:
    run, at = known.run, known.run.due_at or known.run.created_at
    if run.schedule and run.created_at > at:
        yield Stretch(kind=Kind.UNPLANNED, start=at, end=run.created_at)
    at = max(at, run.created_at)
    for one in attempts:
        claimed = min(one.claimed_at, one.started_at or one.ended_at)
        if claimed > at:
            yield Stretch(
                kind=Kind.WAIT if one is attempts[0] else Kind.REST, start=at, end=claimed, attempt=one.number
            )
        yield from _attempt(one, max(claimed, at))
        at = one.ended_at
    yield from _open(known, at, len(attempts) + 1, now)


def _attempt(one: Attempt, claimed: int) -> Iterator[Stretch]:
    started = one.started_at or one.ended_at
    if started > claimed:
        yield Stretch(kind=Kind.HANDED, start=claimed, end=started, attempt=one.number)
    failed = one.state not in (State.SUCCESS, State.SCHEDULED)
    if one.started_at:
        yield Stretch(
            kind=Kind.RUN, start=started, end=one.ended_at, attempt=one.number, failed=failed, words=one.error
        )
    for name, at, micros in one.steps:
        yield Stretch(kind=Kind.STEP, start=at, end=at + micros, attempt=one.number, name=name)


def _open(known: Live | Ended, at: int, attempt: int, now: int) -> Iterator[Stretch]:
    if isinstance(known, Ended) or now <= at:
        return
    if known.state is State.RUNNING:
        yield Stretch(kind=Kind.RUN, start=at, end=now, attempt=attempt, is_open=True)
    elif state_now(known, now) in (State.PENDING, State.FAILED, State.ASSIGNED):
        kind = Kind.WAIT if attempt == 1 else Kind.REST
        yield Stretch(kind=kind, start=at, end=now, attempt=attempt, is_open=True)


async def _meanwhile(store: Store, run_id: int, worker: str, start: int, end: int) -> list[Ended]:
    """The runs that the worker had under way in a stretch, of the newest LOOKED_AT_MAX."""
    found: list[Ended] = []
    before = 0
    for _ in range(LOOKED_AT_MAX // PAGE):
        page = await store.runs(RunFilter(before=before, limit=PAGE))
        for one in page:
            last = last_attempt(one)
            if not isinstance(one, Ended) or last is None or last.worker != worker or one.run.id == run_id:
                continue
            if last.started_at and last.started_at < end and last.ended_at > start:
                found.append(one)
        if len(page) < PAGE:
            break
        before = page[-1].run.id
    return found


async def attempts_of(store: Store, run_id: int) -> list[Attempt]:
    """What was written down of its attempts; nothing where a newer program wrote it."""
    try:
        return await store.attempts(run_id)
    except ShikeError:
        return []
