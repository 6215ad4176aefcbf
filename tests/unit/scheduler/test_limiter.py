"""Whom a limiter looks at: its own tasks; what is another node's is told on once, and what it is told is not."""

from __future__ import annotations

from typing import Any

import pytest

from shike import Concurrency, Cooldown, Rate
from shike.limit import rows
from shike.limit.bounds import HEADS_PER_LOOK_MAX
from shike.limit.declared import Limits, named
from shike.limit.gates import change_of, gate_of, permit_of
from shike.limit.kind import Limit
from shike.model import RECORD_VERSION, Bucket, Run, State
from shike.scheduler.limiter import Limiter
from shike.store.guards import Entry
from shike.store.hints import Hint, HintKind
from shike.store.memory import MemoryStore
from shike.store.verbs import Move
from tests import bounded

GATE = gate_of("send", {"tenant": "acme"})


class Buckets:
    """All buckets, or none; sure of it or not."""

    def __init__(self, *, mine: bool, sure: bool = True) -> None:
        self.mine = mine
        self.sure = sure

    def holder_of(self, virtual_bucket: int) -> Bucket | None:
        return Bucket(low=0, high=0, owner="me", epoch=1) if self.mine and self.sure else None

    def is_unsure_of(self, virtual_bucket: int) -> bool:
        return self.mine and not self.sure


def made(buckets: Buckets, store: MemoryStore | None = None) -> tuple[Limiter, MemoryStore, list[Hint]]:
    store = store or MemoryStore()
    told: list[Hint] = []
    store.tell = told.append  # type: ignore[method-assign]
    return Limiter(store, buckets, store.clock.wall), store, told  # type: ignore[arg-type]


async def declared(store: MemoryStore, *limits: Limit) -> None:
    await rows.declare(store, [Limits("send", tuple(named(limits)), ("tenant",), {})])


async def waits(store: MemoryStore, run_id: int) -> None:
    await store.submit([Entry(Run(RECORD_VERSION, run_id << 8, "send", gate=GATE), delay_seconds=0.0)])


async def looked(limiter: Limiter) -> None:
    due, limiter._due = limiter._due, {}
    for task, gates in due.items():
        await limiter._look(task, gates)


def test_another_nodes_gate_is_told_on_and_what_was_told_is_not() -> None:
    limiter, _, told = made(Buckets(mine=False))
    limiter.due(GATE)
    assert told == [Hint(HintKind.FREED, name=GATE)]
    limiter.hinted(told[0])
    assert len(told) == 1 and not limiter._due


def test_a_gate_of_ones_own_that_another_node_tells_of_is_looked_at() -> None:
    async def story() -> None:
        limiter, store, _ = made(Buckets(mine=True))
        await declared(store, Concurrency(1, by="tenant"))
        await waits(store, 1)
        limiter.hinted(Hint(HintKind.FREED, name=GATE))
        await looked(limiter)
        live = await store.live(1 << 8)
        assert live is not None and live.state is State.SCHEDULED

    bounded.run(story())


def test_while_nobody_is_sure_of_the_buckets_a_gate_is_kept_for_later() -> None:
    async def story() -> None:
        buckets = Buckets(mine=True, sure=False)
        limiter, store, _ = made(buckets)
        await declared(store, Concurrency(1, by="tenant"))
        await waits(store, 1)
        limiter.due(GATE)
        await looked(limiter)
        assert limiter.looks_at > 0
        live = await store.live(1 << 8)
        assert live is not None and live.state is State.WAITING

    bounded.run(story())


def test_a_run_that_comes_while_its_gate_is_found_empty_is_not_overlooked() -> None:
    async def story() -> None:
        limiter, store, _ = made(Buckets(mine=True))
        await declared(store, Concurrency(1, by="tenant"))
        read = store.gate_waiters

        async def nobody_yet(gate: str, limit: int) -> Any:
            found = await read(gate, limit)
            if not found:
                await waits(store, 7)
                limiter.hinted(Hint(HintKind.FREED, name=GATE))
            return found

        store.gate_waiters = nobody_yet  # type: ignore[method-assign]
        limiter.due(GATE)
        await looked(limiter)
        assert limiter._due
        await looked(limiter)
        live = await store.live(7 << 8)
        assert live is not None and live.state is State.SCHEDULED

    bounded.run(story())


def test_a_word_of_change_has_the_definitions_read_anew() -> None:
    async def story() -> None:
        limiter, store, _ = made(Buckets(mine=True))
        await declared(store, Concurrency(1, by="tenant"))
        for number in (1, 2, 3):
            await waits(store, number)
        limiter.due(GATE)
        await looked(limiter)
        await rows.change(store, "send", "concurrency:tenant", rows.Change({"cap": 2}))
        limiter.hinted(Hint(HintKind.FREED, name=change_of("send")))
        await looked(limiter)
        held = await store.holders(permit_of("send", "concurrency:tenant", {"tenant": "acme"}))
        assert held == [1 << 8, 2 << 8]

    bounded.run(story())


@pytest.mark.parametrize("limits", [(Cooldown("1h", by="tenant"),), (Rate("1/h", by="tenant", burst=1),)])
def test_what_cannot_go_yet_is_looked_at_when_it_can(limits: tuple[Limit, ...]) -> None:
    async def story() -> None:
        limiter, store, _ = made(Buckets(mine=True))
        await declared(store, *limits)
        await waits(store, 1)
        await waits(store, 2)
        limiter.due(GATE)
        await looked(limiter)
        if isinstance(limits[0], Cooldown):
            (name,) = (one.name for one in named(limits))
            store._tables.gates.release(1 << 8)  # it is over
            limiter.hinted(Hint(HintKind.FREED, name=permit_of("send", name, {"tenant": "acme"})))
            await looked(limiter)
        ahead = limiter.looks_at - store.clock.wall()
        assert 3_000_000_000 < ahead <= 3_600_000_000

    bounded.run(story())


def test_what_a_newer_program_remembers_stops_its_task_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        limiter, store, _ = made(Buckets(mine=True))
        await store.put(f"{rows.DECLARED}send", b'[{"name":"leaky","kind":"leaky"}]', expect=None)
        await waits(store, 1)
        limiter.due(GATE)
        await looked(limiter)
        live = await store.live(1 << 8)
        assert live is not None and live.state is State.WAITING

    bounded.run(story())
    assert "runs of send wait: there is no limit 'leaky'" in caplog.text


def test_while_the_whole_task_has_no_room_its_keys_are_not_asked() -> None:
    """R0.9: else each of ten thousand keys that wait would be asked each time that somebody arrives."""

    async def story() -> None:
        limiter, store, _ = made(Buckets(mine=True))
        await declared(store, Concurrency(1), Concurrency(2, by="tenant"))
        await waits(store, 1)
        limiter.due(GATE)
        await looked(limiter)
        asked: list[str] = []
        read = store.holders

        async def told(permit: str) -> list[int]:
            asked.append(permit)
            return await read(permit)

        store.holders = told  # type: ignore[method-assign]
        await waits(store, 2)
        for tenant in range(HEADS_PER_LOOK_MAX + 1):
            limiter.due(gate_of("send", {"tenant": tenant}))
        limiter.due(GATE)
        await looked(limiter)
        assert asked == [permit_of("send", "concurrency", {})]
        await store.move([Move(run_id=1 << 8, version=0, to=State.CANCELLED, reason="no")])
        limiter.hinted(Hint(HintKind.FREED, name=permit_of("send", "concurrency", {})))
        await looked(limiter)
        live = await store.live(2 << 8)
        assert live is not None and live.state is State.SCHEDULED

    bounded.run(story())
