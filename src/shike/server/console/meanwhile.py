"""What a worker did while a run waited for it: evidence beside the causes that `shike.operate.autopsy` derives."""

from __future__ import annotations

from collections import Counter
from typing import Final

from msgspec import Struct

from shike.clock import MICROS
from shike.model import Ended
from shike.operate.autopsy import Trace
from shike.operate.facts import last_attempt
from shike.operate.waterfall import Bar, Kind, Status
from shike.server.console.rows import Row, row_of
from shike.store.base import RunFilter, Store

LONG_MICROS: Final = MICROS  # a wait that somebody asks about
LOOKED_AT_MAX: Final = 3_000  # of the newest runs
PAGE: Final = 500
SHOWN: Final = 8
TASKS_SHOWN: Final = 5


class Meanwhile(Struct, frozen=True, kw_only=True):
    """`wait`: the longest wait for a worker. `busy`: by task, how many runs it had under way then; `rows`: the last of
    them to end."""

    wait: Bar
    worker: str
    busy: dict[str, int]
    rows: list[Row]


async def meanwhile(store: Store, trace: Trace, now: int) -> Meanwhile | None:
    """None where no worker was waited for, not for long, or it did nothing that is known."""
    waits = [bar for bar in trace.bars if bar.kind is Kind.WAIT and bar.status is not Status.OPEN]
    waits = [bar for bar in waits if "worker" in bar.about and bar.end - bar.start >= LONG_MICROS]
    if not waits:
        return None
    wait = max(waits, key=lambda bar: bar.end - bar.start)
    worker = str(wait.about["worker"])
    found = await _had_under_way(store, int(trace.run), worker, wait.start, wait.end)
    if not found:
        return None
    return Meanwhile(
        wait=wait,
        worker=worker,
        busy=dict(Counter(one.run.task for one in found).most_common(TASKS_SHOWN)),
        rows=[row_of(one, now) for one in sorted(found, key=lambda one: one.ended_at, reverse=True)[:SHOWN]],
    )


async def _had_under_way(store: Store, run_id: int, worker: str, start: int, end: int) -> list[Ended]:
    """The runs that a worker had under way in a stretch, of the newest LOOKED_AT_MAX."""
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
