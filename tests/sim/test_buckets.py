"""Several nodes on 64 virtual buckets: shared evenly, moved within seconds, split and merged under load."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shike.model import Fate, Schedule, State
from shike.scheduler.decision import DECISIONS, unpacked
from shike.trigger import encode, every
from tests.sim.faults import Cut
from tests.sim.machines import Machine
from tests.sim.yard import Yard

MOVED_SECONDS = 3.0
MICROS = 1_000_000


@pytest.mark.parametrize("nodes", [3, 4, 5])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_nodes_buckets_move_within_3_s_and_are_shared_evenly(nodes: int, seed: int) -> None:
    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        for victim in yard.nodes[:2]:
            await asyncio.sleep(7.3 + seed / 3)
            victim.kill()
            assert await yard.until(yard.is_whole, MOVED_SECONDS) > 1.0, "not before it was silent for its lease"

    Yard(nodes, seed=seed).play(story)


@pytest.mark.parametrize("cut", [None, *Cut])
def test_a_node_that_cannot_renew_stops_before_another_begins_and_comes_back_to_its_share(cut: Cut | None) -> None:
    """The yard asks twenty times a second whether two nodes believe that they own one bucket."""

    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        victim = yard.nodes[1]
        await asyncio.sleep(5)
        yard.meanwhile(victim.pause(20.0) if cut is None else victim.cut_off(cut, 20.0))
        left = [name for name in ("n0", "n1", "n2") if name != victim.name]
        seconds_max = MOVED_SECONDS + 1.5  # where only answers are lost, one more beat arrives
        await yard.until(lambda: sum(yard.believed()[name] for name in left) == 64, seconds_max)
        await asyncio.sleep(30)
        assert yard.is_whole() and yard.buckets()[victim.name] > 0

    Yard(3).play(story)


def test_nothing_swings_while_nothing_happens() -> None:
    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        await asyncio.sleep(60)
        before = yard.watch.divisions
        await asyncio.sleep(300)
        assert yard.watch.divisions == before

    Yard(5).play(story)


def test_a_rolling_restart_leaves_no_bucket_alone_for_long_and_burns_no_attempt() -> None:
    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        await schedule(yard, 30, seconds=2)
        for machine in [*yard.nodes, yard.worker]:
            await asyncio.sleep(10)
            machine.restart()
            if machine is not yard.worker:
                await yard.until(lambda: yard.believed().total() == 64, 1.0)
        await asyncio.sleep(10)
        judge(yard, 30, seconds=2)
        assert all(len(page.granted) - len(released(page)) == 1 for page in yard.watch.pages.values() if page.settled)

    Yard(3).play(story)


def released(page: Any) -> list[int]:
    return [token for token, state in page.settled if state is State.SCHEDULED]


@pytest.mark.slow
def test_under_load_4_buckets_become_64_and_4_again_and_every_moment_runs_once() -> None:
    counts: list[int] = []

    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        yard.meanwhile(count(yard, counts))
        yard.weather.store_delay_seconds = 0.8
        many = 0
        while not counts or counts[-1] < 64:
            await schedule(yard, 100, seconds=10, first=many)
            many += 100
            assert many <= 1_200, f"{counts[-1]} buckets"
            await asyncio.sleep(6)
        await asyncio.sleep(5)
        kill_and_boot(yard, yard.nodes[1])  # in the middle of it
        yard.weather.store_delay_seconds = 0.0
        await yard.until(lambda: counts[-1] == 4, 300.0)
        await asyncio.sleep(30)
        judge(yard, many, seconds=10)
        reasons = [unpacked(row.value) for row in await yard.store.controls(DECISIONS)]
        words = " / ".join(one.reason for one in reasons if one is not None)
        assert "ms late, more than 250" in words and "no bucket was later than 50 ms" in words

    Yard(2).play(story)
    assert max(counts) == 64 and counts[-1] == 4


async def count(yard: Yard, counts: list[int]) -> None:
    while True:
        counts.append(len(await yard.store.buckets()))
        await asyncio.sleep(0.2)


def kill_and_boot(yard: Yard, machine: Machine) -> None:
    machine.kill()
    yard.loop.call_later(4.0, machine.boot, context=yard.home.context)


async def schedule(yard: Yard, many: int, *, seconds: int, first: int = 0, task: str = "instant") -> None:
    """So many schedules, from now on."""
    for number in range(first, first + many):
        name, start = f"s/{number}", yard.clock.wall() + 2 * MICROS
        trigger = encode(every(seconds).bound(start, name))
        made = Schedule(name=name, task=task, args=b"{}", trigger=trigger, start_at=start)
        await yard.store.put_schedule(made, expect=None, plan_at=start)


def judge(yard: Yard, many: int, *, seconds: int) -> None:
    """Each moment up to now has one row, and its run succeeded, once."""
    now, tables = yard.clock.wall(), yard.store._tables
    for number in range(many):
        planned = tables.schedules[f"s/{number}"]
        rows = tables.timetable.of(planned.schedule.name)
        due = {moment: row for moment, row in rows.items() if row.fate is Fate.PLANNED and moment < now - 3 * MICROS}
        moments = range(planned.schedule.start_at, now - 3 * MICROS, seconds * MICROS)
        missed = [row for row in rows.values() if row.fate is not Fate.PLANNED]
        assert sorted(due) == list(moments) and not missed, f"{planned.schedule.name}: {len(due)} of {len(moments)}"
        for row in due.values():
            ended = tables.ended(row.run_id)
            assert ended is not None and ended.state is State.SUCCESS
            assert sum(effect.done for effect in yard.effects.by_run[row.run_id]) == 1


def test_a_store_that_takes_2_s_for_every_answer_delays_no_wake_up() -> None:
    """Runs due each second for a minute, all in the store before it becomes slow: each is told at its time."""
    told: list[int] = []

    async def story(yard: Yard) -> None:
        await yard.until(yard.is_whole, 5.0)
        await schedule(yard, 64, seconds=1)
        await asyncio.sleep(10)
        for machine in yard.nodes:
            slow(machine)
        await asyncio.sleep(10)
        yard.store.listen(lambda hint: told.append(hint.at))
        start, begin = yard.store._tables.schedules["s/0"].schedule.start_at, yard.clock.wall()
        await asyncio.sleep(60)
        for moment in range(start, begin + 59 * MICROS, MICROS):
            if moment > begin:
                late = min((at - moment for at in told if at >= moment), default=MICROS)
                assert late < 5_000, f"the moment {(moment - begin) / MICROS:.3f} s on was told {late} µs late"

    Yard(2).play(story)


def slow(machine: Machine) -> None:
    """Every answer to this node takes 2 s from now on."""
    assert machine.store is not None
    for verb in ("due", "gated", "to_plan", "plan", "now", "sessions", "buckets", "controls", "beat", "divide"):
        answer = getattr(machine.store, verb)

        async def late(*args: Any, answer: Any = answer, **named: Any) -> Any:
            await asyncio.sleep(2.0)
            return await answer(*args, **named)

        setattr(machine.store, verb, late)
