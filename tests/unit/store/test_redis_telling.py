"""What one process tells the others goes out, whatever became of what it told before."""

from __future__ import annotations

import asyncio

import pytest

from shike.store.hints import Hint, HintKind
from shike.store.redis.telling import TELLING_MAX, Telling
from tests import bounded

TURNS = 3  # of the event loop: a task begins, ends, and is seen to have ended


class Wire:
    """Where messages go."""

    def __init__(self) -> None:
        self.messages: list[list[int]] = []
        self.telling = Telling(self.publish)

    async def publish(self, hints: list[Hint]) -> None:
        self.messages.append([hint.at for hint in hints])

    def tell(self, at: int) -> None:
        self.telling.tell(Hint(HintKind.DUE, "mail", at))


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def cancel_all() -> None:
    for task in asyncio.all_tasks():
        if task.get_name() == "shike:tell":
            task.cancel()


def test_what_is_told_in_one_turn_goes_in_one_message() -> None:
    async def story() -> None:
        wire = Wire()
        wire.tell(1)
        wire.tell(2)
        await turns()
        wire.tell(3)
        await turns()
        assert wire.messages == [[1, 2], [3]]

    bounded.run(story())


@pytest.mark.parametrize("turns_between", [0, TURNS])
def test_a_telling_that_was_cancelled_before_it_began_silences_nobody(turns_between: int) -> None:
    async def story() -> None:
        wire = Wire()
        wire.tell(1)
        cancel_all()
        for _ in range(turns_between):
            await asyncio.sleep(0)
        wire.tell(2)
        await turns()
        assert wire.messages == [[1, 2]]

    bounded.run(story())


def test_an_event_loop_that_ended_takes_no_later_word_with_it() -> None:
    wire = Wire()
    ended = asyncio.new_event_loop()

    async def begin() -> None:
        wire.tell(1)

    async def go_on() -> None:
        wire.tell(2)
        await turns()

    task = ended.create_task(begin())
    ended.call_soon(ended.stop)
    ended.run_forever()
    assert task.done() and wire.messages == []
    left = asyncio.all_tasks(ended)
    ended.close()
    bounded.run(go_on())
    assert wire.messages == [[1, 2]]
    for one in left:
        one.get_coro().close()  # type: ignore[union-attr]  # it will never begin
        one._log_destroy_pending = False  # type: ignore[attr-defined]


def test_of_too_many_hints_the_oldest_are_lost() -> None:
    async def story() -> None:
        wire = Wire()
        for at in range(TELLING_MAX + 2):
            wire.tell(at)
        await turns()
        assert [(len(message), message[0]) for message in wire.messages] == [(TELLING_MAX, 2)]

    bounded.run(story())
