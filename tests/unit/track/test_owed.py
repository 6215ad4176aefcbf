"""Lateness is measured from when a run could have begun."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from shike import Shike
from shike.export.prometheus import Prometheus
from shike.model import Attempt, Link, Run, State, Ties
from shike.testing import harness
from shike.track.owed import owed_at

RUN = Run(1, 256, "t", due_at=100, created_at=100)
FIRST = Attempt(1, 1, 7, "s", State.SUCCESS, 900, 901, 950, eligible_at=800)


def test_a_run_is_owed_when_it_is_due_and_a_child_when_it_is_let_go() -> None:
    assert owed_at(RUN, FIRST) == 100, "one that was put off, or had no worker, is late"
    assert owed_at(replace(RUN, ties=Ties(256, 2, after=(Link(-1, -1),))), FIRST) == 800
    assert owed_at(replace(RUN, ties=Ties(256, 1, approval_seconds=60.0)), FIRST) == 800
    assert owed_at(replace(RUN, ties=Ties(256, 2)), FIRST) == 100, "the first of its graph waits for nobody"


def test_a_run_that_waited_for_its_parents_does_not_count_as_late() -> None:
    app, figures = Shike("memory://"), Prometheus(None)

    @app.task(name="slow")
    async def slow(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    app.export(figures)
    with harness(app) as time:
        graph = app.graph()
        graph.add(slow.bind(graph.add(slow.bind(30.0)).result))
        graph.submit()
        time.advance("2m")
    assert 'shike_start_late_seconds_bucket{queue="default",le="1"} 2' in figures.page()
