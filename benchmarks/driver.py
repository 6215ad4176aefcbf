"""Interleaved repeats: each repeat visits every row, starting one further on each time."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.brokers import make_fresh
from benchmarks.conditions import Watch
from benchmarks.measure import Measure, Outcome, Row, Size


def take(measure: Measure, size: Size, *, note: str = "", tell: Callable[[str], None] = print) -> Outcome:
    """All repeats of one measure. A row that fails is left out of later repeats and says why."""
    outcome, watch = Outcome(measure), Watch()
    repeats = 1 if size is Size.QUICK else measure.repeats
    for repeat in range(repeats):
        shift = repeat % len(measure.rows)
        for row in measure.rows[shift:] + measure.rows[:shift]:
            if row.name not in outcome.failures and not (repeat and row.once):
                _take_one(outcome, row, size)
        tell(f"{measure.name}: {repeat + 1} of {repeats}")
    once = "slow peers once" if repeats > 1 and any(row.once for row in measure.rows) else ""
    outcome.conditions = watch.line(repeats=repeats, note="; ".join(filter(None, (once, note))))
    return outcome


class Overdue(Exception):
    """A row hangs. Whatever it started is killed on the way out."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `Overdue` in the main thread where the block takes longer, whatever it waits for."""

    def ring(_signal: int, _frame: object) -> None:
        raise Overdue(f"killed after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _take_one(outcome: Outcome, row: Row, size: Size) -> None:
    with tempfile.TemporaryDirectory(prefix="shike-bench-", ignore_cleanup_errors=True) as folder:
        try:
            with at_most(outcome.measure.row_seconds_max):
                make_fresh(row.service)
                figures = outcome.measure.run(row.name, Path(folder), size)
        except Exception as error:  # one broken contestant must not end the race
            outcome.failures[row.name] = f"{type(error).__name__}: {error}"
        else:
            outcome.repeats.setdefault(row.name, []).append(figures)
