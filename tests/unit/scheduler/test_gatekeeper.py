"""Gates are looked at by whoever owns them; a word that comes while nobody is sure of that is not lost."""

from __future__ import annotations

import asyncio
from typing import Any

from shike.model import Bucket
from shike.scheduler.gatekeeper import Gatekeeper
from tests import bounded


class Buckets:
    """One bucket: ours, but for the time after a pause, until the store was asked."""

    def __init__(self, *, known: bool) -> None:
        self.known = known
        self.sure = False
        self.asked = asyncio.Event()

    def holder_of(self, virtual_bucket: int) -> Bucket | None:
        self.asked.set()
        return Bucket(low=0, high=0, owner="me", epoch=1) if self.sure else None

    def is_unsure_of(self, virtual_bucket: int) -> bool:
        return self.known and not self.sure


class Store:
    """Has one gate, and tells when it is looked at."""

    virtual_buckets = 1

    def __init__(self) -> None:
        self.looked = asyncio.Event()

    async def schedule(self, name: str) -> None:
        self.looked.set()

    async def holders(self, gate: str) -> list[int]:
        return [1]


def test_a_gate_that_opens_while_its_node_is_not_sure_of_its_buckets_is_looked_at_soon_after() -> None:
    async def story() -> None:
        buckets, store = Buckets(known=True), Store()
        keeper = Gatekeeper(store, buckets)  # type: ignore[arg-type]
        role = asyncio.create_task(keeper.run())
        keeper.due("overlap/daily")
        await buckets.asked.wait()
        buckets.sure = True
        await store.looked.wait()
        role.cancel()

    bounded.run(story())


def test_another_nodes_gate_is_left_to_it() -> None:
    async def story() -> None:
        buckets, store = Buckets(known=False), Store()
        keeper = Gatekeeper(store, buckets)  # type: ignore[arg-type]
        again: list[Any] = []
        keeper._again = lambda *words: again.append(words)  # type: ignore[method-assign]
        await keeper._look("overlap/daily")
        assert not again and not store.looked.is_set()

    bounded.run(story())
