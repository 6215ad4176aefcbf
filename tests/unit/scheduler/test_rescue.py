"""Who is dead, by two clocks; and that what the dead held is given back, whoever buried them (P1, P4)."""

from __future__ import annotations

import asyncio

from shike.model import State
from shike.scheduler.rescue import LEASES_PER_STEP, Rescuer
from shike.session import Member
from shike.store.hints import Hint, HintKind
from shike.store.memory import MemoryStore
from shike.store.verbs import Claim, NewSession, Want
from tests.unit.worker.world import World, run

LEASE_SECONDS = 10.0


async def rescuer(world: World) -> tuple[Rescuer, asyncio.Task[None]]:
    member = Member(world.store, world.runtime, kind="node", name="n")
    await member.join()
    made = Rescuer(world.store, member, world.clock, LEASE_SECONDS)
    return made, asyncio.create_task(made.run())


async def holder(world: World, runs: int = 1, identity: str = "w") -> list[int]:
    """A worker that opened a session, claimed runs one by one, and is not heard of again; their ids."""
    session = NewSession(
        identity=identity, name="w", kind="worker", host="", pid=1, lease_seconds=LEASE_SECONDS, protocol=1
    )
    await MemoryStore.open_session(world.store, session)
    ids = await world.submit("t", runs)
    for number in range(1, runs + 1):
        claim = Claim(session=identity, number=number, wants=(Want("default", 1, runs),), tasks=frozenset(["t"]))
        assert len((await MemoryStore.claim(world.store, claim)).runs) == 1
    return ids


async def states(world: World, ids: list[int]) -> set[State]:
    return {found.state for one in ids if (found := await world.store.find(one)) is not None}


async def is_open(world: World, identity: str = "w") -> bool:
    return identity in {session.id for session in await world.store.sessions()}


def test_a_session_without_a_beat_for_a_lease_is_closed_and_its_runs_are_eligible_again() -> None:
    async def story(world: World) -> None:
        made, role = await rescuer(world)
        ids = await holder(world, 3)
        await asyncio.sleep(LEASE_SECONDS - 1)
        assert await is_open(world) and made.rescued == 0
        await asyncio.sleep(LEASE_SECONDS)
        assert not await is_open(world) and made.rescued == 3
        assert State.RUNNING not in await states(world, ids)
        role.cancel()

    run(story)


def test_a_lease_that_is_over_by_the_stores_clock_alone_buries_nobody() -> None:
    """The store's clock jumped, or we have only just come: nobody is dead before we have watched for a lease."""

    async def story(world: World) -> None:
        await holder(world)
        await asyncio.sleep(100 * LEASE_SECONDS)
        made, role = await rescuer(world)
        await asyncio.sleep(LEASE_SECONDS - 1)
        assert await is_open(world)
        await asyncio.sleep(2 * LEASE_SECONDS)
        assert not await is_open(world) and made.rescued == 1
        role.cancel()

    run(story)


def test_a_lease_that_stands_by_the_stores_clock_buries_nobody_however_long_we_have_watched() -> None:
    async def story(world: World) -> None:
        _, role = await rescuer(world)
        await holder(world)
        now, began = world.store.now, world.clock.wall()

        async def set_back() -> int:
            return began

        world.store.now = set_back  # type: ignore[method-assign]
        await asyncio.sleep(5 * LEASE_SECONDS)
        assert await is_open(world)
        world.store.now = now  # type: ignore[method-assign]
        await asyncio.sleep(LEASE_SECONDS)
        assert not await is_open(world)
        role.cancel()

    run(story)


def test_a_process_that_is_provably_gone_is_not_waited_for() -> None:
    async def story(world: World) -> None:
        made, role = await rescuer(world)
        await holder(world)
        made.hinted(Hint(HintKind.SESSION, name="w"))
        await asyncio.sleep(LEASE_SECONDS / 2)
        world.dead.add("w")
        await asyncio.sleep(1)
        assert not await is_open(world) and made.rescued == 1
        role.cancel()

    run(story)


def test_what_the_dead_held_is_freed_in_steps_until_nothing_is_left() -> None:
    async def story(world: World) -> None:
        made, role = await rescuer(world)
        await holder(world, LEASES_PER_STEP + 2)
        while await is_open(world):
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        assert made.rescued == LEASES_PER_STEP + 2, "at once, and not with the next look"
        role.cancel()

    run(story)


def test_what_another_rescuer_closed_and_died_over_is_freed_all_the_same() -> None:
    async def story(world: World) -> None:
        await holder(world, 2)
        await asyncio.sleep(2 * LEASE_SECONDS)
        (session,) = [one for one in await world.store.sessions() if one.id == "w"]
        assert await world.store.close_session("w", seen_beat=session.beat, reason="no beat")
        made, role = await rescuer(world)
        await asyncio.sleep(1)
        assert made.rescued == 2
        role.cancel()

    run(story)
