"""Many sessions end the parents of the same children at once, on a real clock of threads and connections (R2.14)."""

from __future__ import annotations

import asyncio
import random

import pytest

from shike.bounds import CLAIM_RUNS_MAX
from shike.model import OnParent, State
from shike.store.guards import Choose
from shike.store.verbs import Answer, Claimed
from tests.contract.graphs import Plan
from tests.contract.world import World, ack

SESSIONS = 6


async def shares(world: World) -> list[tuple[str, list[Claimed]]]:
    """All that is eligible, dealt out to sessions that each hold a lease of their own."""
    found = []
    for number in range(SESSIONS):
        name = f"worker-{number}"
        if name not in world.numbers:
            await world.session(name)
        found.append((name, (await world.claim(name, 20)).runs))
    return found


async def settle_in_pieces(world: World, name: str, runs: list[Claimed], draw: random.Random, state: State) -> None:
    left = list(runs)
    draw.shuffle(left)
    while left:
        piece = [left.pop() for _ in range(min(len(left), draw.randint(1, 4)))]
        acks = [ack(claimed, state, effects=(Choose(("x",)),) if state is State.SUCCESS else ()) for claimed in piece]
        answers = await world.store.settle(name, acks)
        assert answers == [Answer.ACCEPTED] * len(piece)
        assert await world.store.settle(name, acks) == [Answer.ALREADY] * len(piece)


@pytest.mark.parametrize("state", [State.SUCCESS, State.DEAD])
async def test_children_of_parents_that_end_at_once_are_freed_once(world: World, state: State) -> None:
    draw, plan = random.Random(7), Plan()
    parents = [f"p{number}" for number in range(100)]
    for name in parents:
        plan.add(name)
    on = OnParent.CONTINUE if state is State.DEAD else OnParent.SKIP
    plan.add("all", *parents, on=on).add("half", *parents[:50], on=on).add("other", *parents[50:], on=on)
    plan.add("branch", *parents[:10], on=on, when="x").add("last", "all", "half", "other", "branch")
    ids = await plan.submit(world)
    dealt = await shares(world)
    assert sum(len(runs) for _, runs in dealt) == 100
    await asyncio.gather(*[settle_in_pieces(world, name, runs, draw, state) for name, runs in dealt])
    for name in ("all", "half", "other", "branch"):
        assert (await world.live(ids[name])).state is State.SCHEDULED, name
    freed = (await world.claim("worker-0", CLAIM_RUNS_MAX)).runs
    assert sorted(claimed.run.id for claimed in freed) == sorted(
        ids[name] for name in ("all", "half", "other", "branch")
    )
    await asyncio.gather(*[world.store.settle("worker-0", [ack(claimed, State.SUCCESS)]) for claimed in freed])
    assert [claimed.run.id for claimed in (await world.claim("worker-0", 10)).runs] == [ids["last"]]


async def test_a_child_that_is_cancelled_while_its_parents_end_is_over_once(world: World) -> None:
    draw, plan = random.Random(11), Plan()
    parents = [f"p{number}" for number in range(60)]
    for name in parents:
        plan.add(name)
    children = [f"c{number}" for number in range(20)]
    for number, name in enumerate(children):
        plan.add(name, *parents[number : number + 40])
    ids = await plan.submit(world)
    dealt = await shares(world)

    async def cancel() -> list[Answer]:
        found = []
        for name in children:
            found.append(await world.move(ids[name], State.CANCELLED, reason="no longer wanted"))
        return found

    *_, answers = await asyncio.gather(
        *[settle_in_pieces(world, name, runs, draw, State.SUCCESS) for name, runs in dealt], cancel()
    )
    assert answers == [Answer.ACCEPTED] * len(children)
    for name in children:
        assert (await world.ended(ids[name])).state is State.CANCELLED
    assert (await world.claim("worker-0", 100)).runs == []
    assert (await world.store.counts()).waiting == 0


async def test_parents_that_fail_and_parents_that_succeed_at_once_leave_no_child_waiting(world: World) -> None:
    draw, plan = random.Random(13), Plan()
    parents = [f"p{number}" for number in range(90)]
    for name in parents:
        plan.add(name)
    for number in range(30):
        plan.add(f"c{number}", *parents[3 * number : 3 * number + 3], on=draw.choice(list(OnParent)))
        plan.add(f"d{number}", f"c{number}", on=draw.choice(list(OnParent)))
    ids = await plan.submit(world)
    dealt = await shares(world)
    states = [State.SUCCESS, State.DEAD, State.SUCCESS, State.SKIPPED, State.SUCCESS, State.DEAD]
    await asyncio.gather(
        *[settle_in_pieces(world, name, runs, draw, state) for (name, runs), state in zip(dealt, states, strict=True)]
    )
    while runs := (await world.claim("worker-0", 100)).runs:
        await world.store.settle("worker-0", [ack(claimed, State.SUCCESS) for claimed in runs])
    counts = await world.store.counts()
    assert (counts.waiting, counts.scheduled, counts.eligible, counts.running) == (0, 0, 0, 0)
    assert all([await world.store.ended(run_id) for run_id in ids.values()])
