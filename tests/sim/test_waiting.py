"""A cluster in which low bands never starve and what is paused does not begin; and the two bugs that would break it.

Both are planted and have to be caught: ageing that is switched off, and a claim that heeds no pause (R2.5)."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

import pytest

from shike.bands import IN_ORDER, waits_at_most
from shike.model import RECORD_VERSION, Run
from shike.store.guards import Entry
from shike.store.pauses import Paused
from shike.store.verbs import Claim
from shike.waiting import pauses
from tests.sim.cluster import SHORT_SECONDS, Report
from tests.sim.fleet import quiet
from tests.sim.meddler import Meddled
from tests.sim.yard import Yard

SEEDS = 50
FLOOD = 3_000  # runs of the highest band: half a minute's work, at two at a time
LOW = 1 << 20  # the id of the run that waits below


def runs(first: int, count: int, task: str = "quick", band: int = 0) -> list[Entry]:
    return [
        Entry(Run(RECORD_VERSION, number << 8, task, args=b"{}", queue="default", band=band))
        for number in range(first, first + count)
    ]


def claims_until_it_starts(seed: int) -> int:
    """How many batches the one worker took before it began with the run below the flood; -1: the flood was over."""
    taken = -1

    async def story(yard: Yard) -> None:
        nonlocal taken
        await yard.until(yard.is_whole, 5.0)
        await yard.store.submit(runs(1, FLOOD))
        await yard.store.submit(runs(LOW, 1, band=6))
        assert yard.worker.engine is not None and yard.worker.engine.worker is not None
        claims = yard.worker.engine.worker.claims
        before = claims.number
        await yard.until(lambda: LOW << 8 in yard.watch.pages, 300.0)
        counts = await yard.store.counts()
        if counts.eligible > FLOOD // 10:
            taken = claims.number - before

    Yard(2, seed=seed, slots=2).play(story)
    return taken


def test_a_low_band_run_starts_within_its_bound_under_any_load_above_it() -> None:
    for seed in range(3):
        taken = claims_until_it_starts(seed)
        assert 0 <= taken <= waits_at_most(0, 1), f"seed {seed}: {taken} claims"


def test_ageing_that_is_switched_off_is_caught() -> None:
    def never(number: int) -> tuple[int, ...]:
        return IN_ORDER

    with patch("shike.worker.claims.order_of", never):
        assert any(not 0 <= claims_until_it_starts(seed) <= waits_at_most(0, 1) for seed in range(SEEDS))


def started_while_paused(seed: int) -> list[int]:
    """Runs of a paused task that began between the answer to the pause and its end; the others go on meanwhile, and
    these do once it is over."""
    found: list[int] = []

    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        await yard.store.submit(runs(1, FLOOD))
        await yard.until(lambda: granted(yard, 1, FLOOD) > 20, 60.0)
        await pauses.pause(yard.store, pauses.What("task", "quick"), "look at it first", yard.clock.wall() + 5_000_000)
        before = granted(yard, 1, FLOOD)
        await yard.store.submit(runs(LOW, 10, task="instant", band=5))
        await asyncio.sleep(4.5)
        found.extend(range(granted(yard, 1, FLOOD) - before))
        if found:
            return
        assert granted(yard, LOW, 10) == 10, "the others wait, too"
        await yard.until(lambda: granted(yard, 1, FLOOD) > before + 20, 60.0)

    Yard(2, seed=seed, slots=2).play(story)
    return found


def granted(yard: Yard, first: int, count: int) -> int:
    pages = yard.watch.pages
    return sum(number << 8 in pages and pages[number << 8].grants > 0 for number in range(first, first + count))


def test_a_paused_task_rests_and_the_others_do_not() -> None:
    for seed in range(3):
        assert started_while_paused(seed) == []


def test_a_claim_that_heeds_no_pause_is_caught() -> None:
    def whatever(paused: Paused, asked: Claim) -> frozenset[str]:
        return asked.tasks

    with patch.object(Paused, "grantable", whatever):
        assert any(started_while_paused(seed) for seed in range(SEEDS))


def meddled(seed: int) -> Report:
    with quiet():
        return Meddled(seed, chaos_seconds=SHORT_SECONDS).run()


@pytest.mark.parametrize("seed", range(4))
def test_a_cluster_whose_waiting_runs_are_meddled_with_keeps_every_promise(seed: int) -> None:
    """Faults of every kind, and all day long runs that are moved, rerouted, paused and put in order."""
    report = meddled(seed)
    assert not report.violations, "\n".join(report.violations[:8])
    assert report.firings > 100


def test_a_store_that_heeds_no_pause_is_caught_by_its_grants() -> None:
    def whatever(paused: Paused, asked: Claim) -> frozenset[str]:
        return asked.tasks

    with patch.object(Paused, "grantable", whatever):
        assert any("was granted while" in line for seed in range(SEEDS) for line in meddled(seed).violations)
