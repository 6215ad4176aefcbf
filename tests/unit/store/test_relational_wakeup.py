"""What is told to other processes after a commit, whatever happens in the same turn of the event loop (R0.13)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import msgspec

from shike.store.hints import Hint, HintKind
from shike.store.relational.wakeup import Ear, Wakeup
from tests import bounded


def decoded(parcel: str) -> list[Hint]:
    return msgspec.msgpack.decode(base64.b64decode(parcel), type=list[Hint])


def nobody_listens(heard: Callable[[str | None], None]) -> Ear:
    raise AssertionError("nothing listens here")


def test_a_hint_that_comes_just_as_the_last_telling_ends_is_told_too() -> None:
    async def story() -> int:
        loop, told, gates = asyncio.get_running_loop(), 0, [asyncio.Event(), asyncio.Event()]
        second = asyncio.Event()

        async def tell(payloads: list[str], own: list[int]) -> bool:
            nonlocal told
            told += 1
            if told == 2:
                second.set()
            await gates[told - 1].wait()
            return True

        wakeup = Wakeup(nobody_listens, "tag", tell, lambda hints: None)
        wakeup.send([Hint(HintKind.DUE, "mail", 1)])
        await asyncio.sleep(0)
        gates[0].set()  # its last step is ready to run; right behind it comes the next commit
        loop.call_soon(wakeup.send, [Hint(HintKind.DUE, "mail", 2)])
        gates[1].set()
        async with asyncio.timeout(bounded.SECONDS / 10):
            await second.wait()
        await wakeup.close()
        return told

    assert bounded.run(story()) == 2


def test_who_comes_while_others_take_themselves_to_be_alone_hears_of_what_was_committed_since() -> None:
    """It has read the store when it began to listen; what is stored right after that stands in no read of it, and a run
    that was submitted ahead of its time would start when a beat finds it."""

    async def story() -> list[str]:
        told: list[str] = []
        heard = asyncio.Event()

        async def tell(payloads: list[str], own: list[int]) -> bool:
            if len(payloads) == 1 and not told:
                told.append("nobody")
                return False
            told.extend(payloads)
            heard.set()
            return True

        wakeup = Wakeup(nobody_listens, "tag", tell, lambda hints: None)
        wakeup.send([Hint(HintKind.DUE, "mail", 1)])
        await asyncio.sleep(0.01)  # told to nobody; somebody comes
        for at in range(2, 5):
            wakeup.send([Hint(HintKind.DUE, "mail", at)])
        async with asyncio.timeout(bounded.SECONDS / 10):
            await heard.wait()
        await wakeup.close()
        return told

    first, later = bounded.run(story())
    assert first == "nobody"
    assert [hint.at for hint in decoded(later.removeprefix("tag"))] == [2, 3, 4]


def test_an_ear_says_when_it_begins_to_hear() -> None:
    """What was committed before that, and after its process read the store, it knows nothing of."""
    heard: list[Hint] = []
    wakeup = Wakeup(nobody_listens, "tag", never, heard.extend)
    wakeup._hear(None)
    assert [hint.kind for hint in heard] == [HintKind.MISSED]


async def never(payloads: list[str], own: list[int]) -> bool:
    raise AssertionError("nobody tells anything here")


def test_who_is_alone_does_not_hold_up_his_own_end() -> None:
    async def story() -> int:
        told = 0

        async def tell(payloads: list[str], own: list[int]) -> bool:
            nonlocal told
            told += 1
            return False

        wakeup = Wakeup(nobody_listens, "tag", tell, lambda hints: None)
        for at in range(2):
            wakeup.send([Hint(HintKind.DUE, "mail", at)])
            await asyncio.sleep(0.01)
        await wakeup.close()
        return told

    assert bounded.run(story()) == 2
