"""Rows of approvals and gangs go with the runs that they are of (R2.14)."""

from __future__ import annotations

import asyncio

from shike.scheduler.janitor import retention
from shike.scheduler.leftovers import sweep
from shike.track import gang as gangs
from shike.track.approval import Approval, encoded, key_of
from shike.track.gang import Muster, Place
from tests.unit.worker.world import World, run

KEEP = retention(success_seconds=100.0)


def test_an_approval_stays_as_long_as_its_run_is_known() -> None:
    async def story(world: World) -> None:
        async def work() -> None: ...

        world.task(work)
        (waiting,) = await world.submit("other")
        (over,) = await world.submit("work")
        approval = encoded(Approval(digest="d", by="ann", at=1))
        for run_id in (waiting, over, 99 << 8):
            await world.store.put(key_of(run_id), approval, expect=0)
        await world.worker()
        await asyncio.sleep(1)
        assert await sweep(world.store, KEEP) == 1
        kept = [row.key for row in await world.store.controls("approval/")]
        assert kept == sorted(map(key_of, (waiting, over)))

    run(story)


def test_a_gang_stays_while_it_is_new_or_one_of_its_runs_is_alive() -> None:
    async def story(world: World) -> None:
        (alive,) = await world.submit("nobody does it")
        now = await world.store.now()
        old = now - 101_000_000
        rows = {
            "new": Muster(at=now, places={"1": Place("s", 1)}),
            "alive": Muster(at=old, places={str(alive): Place("s", 1)}),
            "over": Muster(at=old, go=True, places={"1": Place("s", 1)}),
            "empty": Muster(at=old, round=3),
        }
        for name, muster in rows.items():
            await world.store.put(f"{gangs.GANG_KEY}{name}", gangs.encoded(muster), expect=0)
        assert await sweep(world.store, KEEP) == 2
        kept = [row.key for row in await world.store.controls(gangs.GANG_KEY)]
        assert kept == ["gang/alive", "gang/new"]
        assert await sweep(world.store, KEEP) == 0

    run(story)
