"""Who submits to a store that is being moved waits; who submits to one that was moved is told where it went."""

from __future__ import annotations

import asyncio

import pytest

from shike.client import Client
from shike.errors import StoreMoved
from shike.model import Run
from shike.runtime import Runtime
from shike.store.codec import Plain
from shike.store.guards import Entry
from shike.store.memory import MemoryStore
from shike.store.portable import Marker, Phase

ENTRY = Entry(Run(1, 1 << 8, "mail"))


def marker(phase: Phase) -> Marker:
    return Marker(phase=phase, id="1", peer="sqlite:////new.db")


class Watched(MemoryStore):
    """Notes that somebody was refused."""

    asked = 0

    def _refuse(self, verb: str) -> None:
        try:
            super()._refuse(verb)
        except Exception:
            self.asked += 1
            raise


def test_a_submit_waits_for_a_sealed_store() -> None:
    async def story() -> None:
        store = Watched()
        client = Client(lambda: store, Runtime(), Plain())
        await client.settle_here()
        await store.restrict(marker(Phase.SEALED))
        submit = asyncio.create_task(client.deliver([ENTRY]))
        while not store.asked:
            await asyncio.sleep(0)
        assert not submit.done()
        await store.restrict(None)
        (answer,) = await submit
        assert answer.fresh

    asyncio.run(story())


def test_a_store_that_is_being_filled_is_opened_when_it_is_full() -> None:
    async def story() -> None:
        store = MemoryStore()
        client = Client(lambda: store, Runtime(), Plain())
        await store.restrict(marker(Phase.LOADING))
        opening = asyncio.create_task(client.settle_here())
        await asyncio.sleep(0.01)
        assert not opening.done()
        await store.restrict(marker(Phase.OPENED))
        assert await opening is store

    asyncio.run(story())


def test_a_submit_to_a_moved_store_is_told_where_it_went() -> None:
    async def story() -> None:
        store = MemoryStore()
        client = Client(lambda: store, Runtime(), Plain())
        await store.restrict(marker(Phase.MOVED))
        with pytest.raises(StoreMoved, match="was moved to sqlite:") as caught:
            await client.deliver([ENTRY])
        assert caught.value.to == "sqlite:////new.db"

    asyncio.run(story())
