"""Results of parents that a store does not give: they are waited for while anybody wants them, and no longer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

from shike.errors import StoreUnavailable
from shike.model import Ended
from shike.store.memory import MemoryStore
from shike.worker.handover import Handover


class Away(MemoryStore):
    """A store that gives no results."""

    async def outcomes(self, run_ids: Sequence[int]) -> dict[int, Ended]:
        await asyncio.sleep(0.001)
        raise StoreUnavailable("away")


def test_a_look_that_nobody_waits_for_any_more_ends_and_says_nothing() -> None:
    heard: list[str] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["message"]))
        handover = Handover(Away(), None, lambda *_: None, lambda *_: None)
        reader = asyncio.create_task(handover._results([1, 2]))
        await asyncio.sleep(0)
        reader.cancel()  # its worker stops; the look itself is under way
        await asyncio.sleep(0.01)
        assert not handover._known
        gc.collect()

    asyncio.run(story())
    assert heard == []
