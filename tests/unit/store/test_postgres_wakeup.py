"""Hints of any number and size fit into notifications, and come out again."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import pytest

from shike.store.hints import Hint, HintKind
from shike.store.relational.wakeup import Wakeup, parcels

PAYLOAD_BYTES_MAX = 7_999  # of PostgreSQL
TAG_BYTES = 12
NOW = 1_767_225_600_000_000

HINTS = {
    "many small ones": [Hint(HintKind.DUE, queue="", at=NOW + n) for n in range(1_000)],
    "schedules": [Hint(HintKind.SCHEDULE, name=f"default/nightly-{n}") for n in range(1_000)],
    "long names": [Hint(HintKind.GATED, queue="郵" * 200, name="票" * 400, at=NOW + n) for n in range(20)],
    "many ids": [Hint(HintKind.ENDED, run_ids=tuple(range(1 << 40, (1 << 40) + 2_345)))],
    "nothing": [],
}


@pytest.mark.parametrize("hints", HINTS.values(), ids=HINTS)
def test_each_parcel_fits_and_all_hints_arrive(hints: list[Hint]) -> None:
    told = parcels(hints)
    assert all(TAG_BYTES + len(parcel) <= PAYLOAD_BYTES_MAX for parcel in told)
    heard = [hint for parcel in told for hint in msgspec.msgpack.decode(base64.b64decode(parcel), type=list[Hint])]
    if any(hint.run_ids for hint in hints):
        assert [one for hint in heard for one in hint.run_ids] == [one for hint in hints for one in hint.run_ids]
    else:
        assert heard == hints


@pytest.mark.parametrize(("greets", "tells"), [(True, 1), (False, 2)])
def test_who_is_alone_stays_so_until_somebody_may_listen(greets: bool, tells: int) -> None:
    """Where newcomers greet, to hear of something is no reason to tell again: who only submits does not listen."""
    told: list[list[str]] = []
    heard: list[Hint] = []
    hint = Hint(HintKind.DUE, queue="mail", at=NOW)

    async def nobody(payloads: list[str], own: list[int]) -> bool:
        told.append(payloads)
        return False

    async def scene() -> None:
        wakeup = Wakeup(lambda hear: None, "tag", nobody, heard.extend, greets=greets)  # type: ignore[arg-type, return-value]
        for parcel in (*parcels([hint]), ""):
            wakeup.send([hint])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            wakeup._hear(parcel)
        assert heard == [hint]
        assert len(told) == tells
        wakeup.send([hint])  # the empty text was a greeting
        await wakeup.close()
        assert len(told) == tells + 1

    asyncio.run(scene())
