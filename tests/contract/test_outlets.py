"""Every end of a run reaches the outlets on every store, whoever brought it about, and whoever is killed (R2.11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shike.bounds import CRASHES_MAX
from shike.call import Task
from shike.client import Client
from shike.clock import MICROS
from shike.connect import follower as module
from shike.connect.bounds import FOLLOW_LATE_SECONDS
from shike.connect.follower import CURSOR, Follower, Told
from shike.model import Manner, State
from shike.runtime import Runtime
from shike.store.codec import Plain
from shike.task import Definition
from tests.contract.world import TASK, World

TELLER = "shike.outlet.desk"
OTHER = "shike.outlet.other"
BUT_SUCCESS = frozenset({State.DEAD, State.CANCELLED, State.SKIPPED})


class Killed(Exception):
    """As far as the store sees, a process that is killed there."""


class Handed:
    """The world's store, as a client gets it: open already."""

    def __init__(self, world: World) -> None:
        self._store = world.store

    async def open(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class House:
    """A process that has outlets: what it follows, and what it hands over."""

    def __init__(self, world: World, *names: str, states: frozenset[State] = BUT_SUCCESS) -> None:
        self.world = world
        self.client = Client(lambda: Handed(world), Runtime(world.clock), Plain())  # type: ignore[arg-type,return-value]
        self.follower = Follower(self.client)
        for name in names or (TELLER,):
            teller: Task[Any, Any] = Task(self.client, Definition(name, _tell, queue="outlets"), _tell)
            self.follower.add(Told(name.rpartition(".")[2], frozenset({TASK}), states, teller))

    async def look(self) -> None:
        await self.follower.look(self.world.store)


async def _tell(run_id: str) -> None: ...


async def told(world: World, task: str = TELLER) -> list[int]:
    """Of which ends somebody is about to tell: each run that does is taken."""
    name = f"teller{world.now}{task}{len(world.numbers)}"
    await world.session(name)
    found: list[int] = []
    for _ in range(world.store.virtual_buckets + 1):  # a claim may ask a part of them
        batch = await world.claim(name, 100, queue="outlets", tasks=(task,))
        for claimed in batch.runs:
            found.append(int(json.loads(claimed.run.args)["run_id"]))
            await world.settle(claimed, State.SUCCESS, name)
    return sorted(found)


async def all_ends(world: World) -> list[int]:
    """Runs that ended without success in each way there is."""
    cancelled, buried, skipped = [await world.add(due_at=world.after(600)) for _ in range(3)]
    await world.move(cancelled, State.CANCELLED, reason="not wanted any more")
    await world.move(buried, State.DEAD, reason="buried by an operator")
    await world.move(skipped, State.SKIPPED, reason="overlap: the run before it is not over")
    await world.session()
    reported = []
    for state in (State.SUCCESS, *sorted(BUT_SUCCESS)):
        claimed = await world.started()
        await world.settle(claimed, state)
        reported.append(claimed.run.id)
    asked = await world.started()
    await world.move(asked.run.id, State.CANCELLED, reason="asked to stop")
    await world.settle(asked, State.FAILED)
    return sorted([cancelled, buried, skipped, *reported[1:], asked.run.id, await poison(world)])


async def poison(world: World) -> int:
    """A run that kills every process that works on it."""
    await world.session("victim")
    run_id = (await world.started("victim")).run.id
    await world.crash("victim")
    await world.session("again")
    for _ in range(CRASHES_MAX):
        (claimed,) = (await world.claim("again", suspects=Manner.APART)).runs
        await world.settle(claimed, State.FAILED, "again", died=True)
    assert (await world.ended(run_id)).reason.startswith("poison")
    return run_id


async def test_every_end_but_success_is_handed_over_once_whoever_brought_it_about(world: World) -> None:
    house = House(world)
    await house.look()
    expected = await all_ends(world)
    await house.look()
    assert await told(world) == expected
    await house.look()
    assert await told(world) == []


async def test_ends_of_other_tasks_and_states_are_not_told(world: World) -> None:
    house = House(world, states=frozenset({State.DEAD}))
    mine, other = await world.add(), await world.add(task="other")
    for run_id, state in ((mine, State.DEAD), (other, State.DEAD), (await world.add(), State.CANCELLED)):
        await world.move(run_id, state)
    await house.look()
    assert await told(world) == [mine]


async def test_more_than_a_page_of_one_instant_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOW_PAGE", 3)
    runs = [await world.add(due_at=world.after(60)) for _ in range(8)]
    for run_id in runs:
        await world.move(run_id, State.CANCELLED)
    await House(world).look()
    assert await told(world) == runs


async def test_who_is_killed_before_the_hand_over_leaves_it_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await House(world).look()
    expected = await all_ends(world)
    victim = House(world)

    async def die(entries: Any) -> None:
        raise Killed

    monkeypatch.setattr(victim.client, "deliver", die)
    with pytest.raises(Killed):
        await victim.look()
    assert await told(world) == []
    world.clock.advance(86_400)
    await House(world).look()
    assert await told(world) == expected


async def test_who_is_killed_before_the_note_has_told_and_the_next_tells_it_no_second_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await House(world).look()
    world.clock.advance(30)
    expected = await all_ends(world)

    async def die(*words: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, "_note", die)
        with pytest.raises(Killed):
            await House(world).look()
    await House(world).look()
    assert await told(world) == expected
    await House(world).look()
    assert await told(world) == []


async def test_a_step_that_commits_behind_the_last_look_is_seen(world: World) -> None:
    """Its ends are older than the place that is noted: those of the last minute are looked at again."""
    late = await world.add()
    await world.move(late, State.CANCELLED)
    for ahead, expected in ((FOLLOW_LATE_SECONDS + 1, []), (FOLLOW_LATE_SECONDS - 1, [late])):
        await world.store.put(f"{CURSOR}desk", b"%d" % (world.now + round(ahead * MICROS)), expect=None)
        await House(world).look()
        assert await told(world) == expected


async def test_each_outlet_has_a_place_of_its_own(world: World) -> None:
    """One that is new, or that this process does not know, loses nothing by another's looks."""
    await House(world, TELLER, OTHER).look()
    world.clock.advance(300)
    expected = await all_ends(world)
    world.clock.advance(300)
    await House(world, TELLER).look()
    world.clock.advance(300)
    await House(world, TELLER, OTHER).look()
    assert await told(world, OTHER) == expected
    assert await told(world, TELLER) == expected


async def test_in_a_store_of_many_virtual_buckets_too(world: World) -> None:
    await world.reopen("wide", virtual_buckets=64)
    runs = [await world.add(bucket=bucket) for bucket in (0, 5, 63)]
    for run_id in runs:
        await world.move(run_id, State.CANCELLED)
    for _ in "12":
        await House(world).look()
    assert await told(world) == sorted(runs)
