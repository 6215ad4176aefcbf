"""Interleaved repeats: each repeat visits every row, starting one further on each time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.conditions import Watch
from benchmarks.measure import Measure, Outcome, Row, Size


def take(measure: Measure, size: Size, *, note: str = "", tell: Callable[[str], None] = print) -> Outcome:
    """All repeats of one measure. A row that fails is left out of later repeats and says why."""
    outcome, watch = Outcome(measure), Watch()
    repeats = 1 if size is Size.QUICK else measure.repeats
    for repeat in range(repeats):
        shift = repeat % len(measure.rows)
        for row in measure.rows[shift:] + measure.rows[:shift]:
            if row.name not in outcome.failures:
                _take_one(outcome, row, size)
        tell(f"{measure.name}: {repeat + 1} of {repeats}")
    outcome.conditions = watch.line(repeats=repeats, note=note)
    return outcome


def _take_one(outcome: Outcome, row: Row, size: Size) -> None:
    with tempfile.TemporaryDirectory(prefix="shike-bench-", ignore_cleanup_errors=True) as folder:
        try:
            figures = outcome.measure.run(row.name, Path(folder), size)
        except Exception as error:  # one broken contestant must not end the race
            outcome.failures[row.name] = f"{type(error).__name__}: {error}"
        else:
            outcome.repeats.setdefault(row.name, []).append(figures)
