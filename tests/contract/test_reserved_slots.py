"""R1.13: slots of a worker pool on every store: counted over all tasks and nodes, whoever decides (decision 31)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shike import Concurrency, Reserved
from shike.clock import to_datetime
from shike.errors import BadCommand
from shike.limit import rows, slots
from shike.limit.declared import Limits, named
from shike.limit.gates import Gate, change_of, gate_of, permit_of
from shike.limit.kind import Limit
from shike.limit.rows import declare, effective
from shike.limit.slots import Page, Slots, told
from shike.model import RECORD_VERSION, Run, State
from shike.operate import limits as operating
from shike.reserve.clerk import Clerk
from shike.reserve.journal.memory import MemoryJournal
from shike.reserve.time_pool import TimePool
from shike.scheduler.admission import Admission
from shike.store.guards import Entry
from shike.store.hints import HintKind
from shike.store.verbs import Answer
from tests.contract.world import World

GPU = slots.home_of("workers", "gpu")
PERMIT = permit_of(GPU, "reserved", {})
SLOT = timedelta(minutes=1)


class Hall:
    """A pool, tasks that take its slots, and nodes that look at them, by hand."""

    def __init__(self, world: World, **tasks: Limit) -> None:
        self.world = world
        self.tasks = {task: Limits(task, tuple(named([limit])), (), {}) for task, limit in tasks.items()}
        self.gates: dict[str, dict[str, Gate]] = {task: {} for task in tasks}
        self.node = self.another()
        clerk = Clerk(MemoryJournal())
        self.pool = TimePool(clerk, "workers", world.clock, slot=SLOT, ahead=timedelta(hours=8), store=world.store)

    def another(self) -> Admission:
        return Admission(self.world.store, lambda: self.world.now)

    async def open(self, size: int) -> Hall:
        await self.world.session()
        await declare(self.world.store, self.tasks.values())
        await self.pool.open({"gpu": size})
        return self

    async def reserve(self, tenant: str, count: int, start: float, end: float) -> Any:
        """From so many minutes from now until so many."""
        first, last = (to_datetime(self.world.after(60 * minutes)) for minutes in (start, end))
        return await self.pool.reserve("gpu", count, first, last, id=f"{tenant}/{start}", tenant=tenant)

    async def wait(self, task: str, count: int = 1, **values: Any) -> list[int]:
        name = gate_of(task, values)
        self.gates[task][name] = Gate(task, values)
        entries, ids = [], []
        for _ in range(count):
            self.world.last_id += 1
            ids.append(self.world.last_id << 8 | self.world.last_id % self.world.store.virtual_buckets)
            entries.append(Entry(Run(RECORD_VERSION, ids[-1], task, gate=name), delay_seconds=0.0))
        await self.world.store.submit(entries)
        return ids

    async def look(self, task: str, node: Admission | None = None) -> None:
        limits = (await effective(self.world.store, task))[task]
        while (await (node or self.node).round(limits, rows.pool_of(limits, 0), self.gates[task])).left:
            pass

    async def promise_only(self, task: str) -> None:
        """A look of a node that writes down what it decides, and dies before it does it."""
        node = self.another()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(node, "_do", _nothing)
            await self.look(task, node)

    async def under_way(self) -> list[int]:
        return sorted(await self.world.store.holders(PERMIT))


async def _nothing(*_: object) -> bool:
    return False


def by_tenant(longest: str = "30m") -> Reserved:
    return Reserved("workers", "gpu", longest, by="tenant")


async def test_tasks_of_one_pool_never_have_more_runs_than_it_has_slots(world: World) -> None:
    hall = await Hall(world, train=by_tenant(), infer=Reserved("workers", "gpu", "1m", tenant="web")).open(5)
    await hall.wait("train", 4, tenant="acme")
    await hall.wait("infer", 4)
    nodes = [(task, hall.another()) for task in ("train", "infer", "train", "infer")]
    await asyncio.gather(*[hall.look(task, node) for task, node in nodes])
    assert len(await hall.under_way()) == 5
    kept, _ = await rows.kept(world.store, GPU)
    assert sum(map(len, kept.memory[PERMIT].values())) == 5


async def test_a_reserver_finds_slots_free_at_his_time_and_others_have_them_until_then(world: World) -> None:
    hall = await Hall(world, train=by_tenant("10m"), infer=Reserved("workers", "gpu", "5m", tenant="web")).open(3)
    assert isinstance(await hall.reserve("acme", 2, 30, 90), int)
    first = await hall.wait("infer", 3)
    await hall.look("infer")
    assert await hall.under_way() == first
    for claimed in (await world.claim(tasks=("train", "infer"))).runs:
        await world.settle(claimed, State.SUCCESS)
    world.clock.advance(26 * 60)
    late = await hall.wait("infer", 3)
    await hall.look("infer")  # in 4 minutes two of the slots are reserved, and these may take 5
    assert await hall.under_way() == late[:1]
    world.clock.advance(5 * 60)
    mine = await hall.wait("train", 3, tenant="acme")
    await hall.look("train")
    assert await hall.under_way() == [late[0], *mine[:2]]


async def test_a_reservation_that_is_given_back_is_told_at_once(world: World) -> None:
    hall = await Hall(world, train=by_tenant()).open(2)
    number = await hall.reserve("acme", 2, 0, 60)
    await hall.wait("train", 1, tenant="zeta")
    await hall.look("train")
    assert await hall.under_way() == []
    world.listen()
    assert await hall.pool.give_back(number)
    assert (await world.hint(HintKind.FREED)).name == change_of(GPU)
    await hall.look("train")
    assert len(await hall.under_way()) == 1


async def test_a_slot_is_given_back_by_the_step_that_ends_a_run_and_not_by_a_rescue(world: World) -> None:
    hall = await Hall(world, mail=by_tenant()).open(1)
    first, second = await hall.wait("mail", 2, tenant="acme")
    await hall.look("mail")
    assert await world.granted() == [first]
    await world.crash()
    await hall.look("mail")
    assert await hall.under_way() == [first]
    await world.session("heir")
    (claimed,) = (await world.claim("heir")).runs
    world.listen()
    assert await world.settle(claimed, State.SUCCESS, session="heir") is Answer.ACCEPTED
    assert (await world.hint(HintKind.FREED)).name == PERMIT
    await hall.look("mail")
    assert await hall.under_way() == [second]


async def test_what_a_node_promised_to_one_task_is_kept_by_one_that_looks_at_another(world: World) -> None:
    hall = await Hall(world, train=by_tenant(), infer=by_tenant()).open(1)
    (first,) = await hall.wait("train", 1, tenant="acme")
    await hall.wait("infer", 1, tenant="acme")
    await hall.promise_only("train")
    assert await hall.under_way() == []
    await hall.look("infer")
    assert await hall.under_way() == [first]


async def test_a_memory_of_another_limit_of_another_task_is_not_forgotten(world: World) -> None:
    hall = Hall(world, train=by_tenant(), infer=by_tenant())
    hall.tasks["train"] = Limits("train", tuple(named([by_tenant(), Concurrency(1, by="tenant")])), (), {})
    await hall.open(4)
    first = await hall.wait("train", 2, tenant="acme")
    await hall.look("train")
    other = await hall.wait("infer", 1, tenant="acme")
    await hall.look("infer", hall.another())
    await hall.look("train")
    assert await hall.under_way() == sorted([first[0], *other])


async def test_an_older_word_never_takes_the_place_of_a_newer_one(world: World) -> None:
    new, old = Page(5, {"gpu": Slots(2)}), Page(4, {"gpu": Slots(9)})
    assert await slots.tell(world.store, "workers", new)
    assert not await slots.tell(world.store, "workers", old) and not await slots.tell(world.store, "workers", new)
    assert await told(world.store) == {"workers": new}


async def test_of_words_that_come_at_once_the_newest_stays(world: World) -> None:
    pages = [Page(version, {"gpu": Slots(version)}) for version in range(1, 7)]
    await asyncio.gather(*[slots.tell(world.store, "workers", page) for page in pages])
    assert (await told(world.store))["workers"].version == 6


async def test_who_waits_for_slots_says_why(world: World) -> None:
    hall = await Hall(world, train=by_tenant()).open(2)
    await hall.reserve("acme", 2, 0, 60)
    (run_id,) = await hall.wait("train", 1, tenant="zeta")
    why = await operating.why_limited(world.store, await world.live(run_id))
    assert why is not None and "of 2 slots 0 are taken and 2 kept for others" in why.words
    (key,) = await operating.keys(world.store, "train")
    assert (key.task, key.cap, key.taken, key.waiting) == ("train", 2, 0, 1)
    (fact,) = await operating.listing(world.store)
    assert fact.words == "slots of workers/gpu, reserved by tenant; runs of 30m at most"


async def test_a_pool_that_a_dispatcher_cannot_count_is_refused_whole(world: World) -> None:
    hall = Hall(world, train=by_tenant())
    with pytest.raises(BadCommand, match="counts at most 1,000 slots"):
        await hall.open(1_001)
    assert await told(world.store) == {}
