"""Taking an alarm over (R2.9): by whom, once, also while it is written by whoever watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from shike.connect.alarms.trying import letter
from shike.errors import BadInput, Conflict, NotFound
from shike.operate import alarms
from shike.store.base import Control
from shike.store.memory import MemoryStore
from shike.track.alarm import Phase, encoded, key_of

ALARM = letter().told[0].alarm


def story(work: Callable[[MemoryStore], Awaitable[None]]) -> None:
    async def whole() -> None:
        store = MemoryStore()
        await store.open()
        for alarm_id, phase in (("aa11", Phase.RAISED), ("aa22", Phase.OVER), ("bb33", Phase.WATCHED)):
            await store.put(key_of(alarm_id), encoded(replace(ALARM, id=alarm_id, phase=phase)), expect=0)
        await store.put(key_of("cc44"), b"of a newer program", expect=0)
        await work(store)
        await store.close()

    asyncio.run(whole())


def test_what_is_raised_comes_first_and_what_cannot_be_read_is_left_alone() -> None:
    async def work(store: MemoryStore) -> None:
        assert [one.id for one in await alarms.listing(store)] == ["aa11"]
        assert [one.id for one in await alarms.listing(store, everything=True)] == ["aa11", "bb33", "aa22"]

    story(work)


@pytest.mark.parametrize(
    ("alarm_id", "by", "error", "words"),
    [
        ("aa", "lin", BadInput, "2 alarms begin with aa"),
        ("zz", "lin", NotFound, "shike alarms list"),
        ("", "lin", NotFound, "there is no alarm"),
        ("../x", "lin", NotFound, "there is no alarm"),
        ("aa22", "lin", Conflict, "is over"),
        ("aa11", " ", BadInput, "who looks after it"),
        ("aa11", "x" * 201, BadInput, "who looks after it"),
    ],
)
def test_what_cannot_be_taken_over_says_why(alarm_id: str, by: str, error: type[Exception], words: str) -> None:
    async def work(store: MemoryStore) -> None:
        with pytest.raises(error, match=words):
            await alarms.ack(store, alarm_id, by=by)

    story(work)


def test_one_person_takes_it_over_and_a_second_hears_who() -> None:
    async def work(store: MemoryStore) -> None:
        taken = await alarms.ack(store, "aa1", by="lin")
        assert (taken.acked_by, taken.phase) == ("lin", "raised") and taken.acked_at is not None
        assert (await alarms.ack(store, "aa1", by="lin")).acked_at == taken.acked_at
        with pytest.raises(Conflict, match="lin looks after alarm aa11 since"):
            await alarms.ack(store, "aa1", by="wang")

    story(work)


@pytest.mark.parametrize("writes", [1, alarms.TRIES])
def test_a_row_that_is_written_in_between_is_read_again_a_few_times(writes: int) -> None:
    async def work(store: MemoryStore) -> None:
        put, left = store.put, [writes]

        async def raced(key: str, value: bytes | None, *, expect: int | None) -> Control | None:
            if left[0]:
                left[0] -= 1
                await put(key, encoded(replace(ALARM, id="aa11", count=float(left[0] + 2))), expect=None)
            return await put(key, value, expect=expect)

        store.put = raced  # type: ignore[method-assign,assignment]
        call: Any = alarms.ack(store, "aa11", by="lin")
        if writes < alarms.TRIES:
            assert (await call).acked_by == "lin"
        else:
            with pytest.raises(Conflict, match="too often"):
                await call

    story(work)
