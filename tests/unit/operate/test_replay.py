"""A recorded stretch decided again (R2.3): from what routers kept, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from shike.errors import BadInput, NotFound, UnknownRoute
from shike.model import RECORD_VERSION, Route, Run
from shike.operate.replay import Recorded, redecided, replay
from shike.route.nouns import Decision
from tests.unit.route.fleet import snapshot, worker
from tests.unit.scheduler.test_router import crew, node, routed, work_of
from tests.unit.worker.world import World, run


def test_what_the_router_decided_is_decided_again_by_another_strategy_and_changes_nothing() -> None:
    async def story(world: World) -> None:
        work_of(world, 0.1)
        await node(world)
        await crew(world, 3)
        await routed(world, "first", 12)
        await asyncio.sleep(5)
        before = await world.store.controls("")
        same = await replay(world.store, "first", seconds=3600)
        assert (same.decisions, same.elsewhere, same.left_out) == (12, 0, 0)
        assert same.other.workers == same.modelled.workers
        assert same.other.wait_mean_ms == same.modelled.wait_mean_ms
        even = await replay(world.store, "round_robin", seconds=3600)
        assert even.elsewhere == 8
        assert sorted(even.other.workers.values()) == [4, 4, 4]
        assert (even.modelled.unevenness, even.other.unevenness) == (3.0, 1.0)
        assert even.other.wait_p99_ms < even.modelled.wait_p99_ms
        assert await world.store.controls("") == before
        with pytest.raises(UnknownRoute):
            await replay(world.store, "nonsense", seconds=60)
        with pytest.raises(BadInput, match="any"):
            await replay(world.store, "any", seconds=60)
        await asyncio.sleep(100)
        with pytest.raises(NotFound, match="nothing to decide again"):
            await replay(world.store, "first", seconds=10)

    run(story)


def recorded(number: int, to: int, seconds: float, at: int = 1_000_000, kept: str = "1") -> Recorded:
    made = Run(RECORD_VERSION, number << 8, "t", due_at=at)
    decision = Decision(by="first", to=worker(to).session, snapshot=kept)
    return Recorded(made, Route(by="first"), decision, at, at, made.due_at, seconds)


def test_the_model_is_a_queue_with_a_servers_for_each_slot_and_a_slow_worker_takes_longer() -> None:
    fleet = snapshot(worker(1, slots=1, latency_ms=100.0), worker(2, slots=1, latency_ms=400.0))
    found = redecided([recorded(number, 1, 1.0) for number in range(4)], [fleet], "round_robin")
    assert found.modelled.wait_mean_ms == pytest.approx((0 + 1 + 2 + 3) / 4 * 1000)
    assert found.other.wait_mean_ms == pytest.approx((0 + 0 + 1 + 4) / 4 * 1000)


def test_decisions_whose_snapshot_is_gone_are_left_out_and_what_finds_nobody_is_told() -> None:
    full = snapshot(worker(1, slots=1, busy=9))
    late = 62_000_000
    runs = [recorded(1, 1, 1.0, kept="gone"), recorded(2, 1, 1.0), recorded(3, 1, 1.0, late, kept="gone")]
    found = redecided(runs, [full], "least_busy")
    assert (found.decisions, found.left_out, found.other.runs, found.other.unplaced) == (2, 1, 0, 2)
    assert found.other.wait_mean_ms == 0.0
