"""Acknowledgements leave at once when they can, in company when they must wait, and again when nobody answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import ACK_BATCH_MAX, ACK_DELAY_SECONDS, REPEAT_SECONDS_MIN
from shike.errors import BadSetting, SessionClosed, StoreUnavailable
from shike.model import State
from shike.store.verbs import Ack, Answer
from shike.testing import VirtualLoop
from shike.worker.acks import FLUSHES_MAX, AckBatcher


class Desk:
    """Stands where the store is: notes when which batch came, and answers when it is told to."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.came: list[tuple[float, list[int]]] = []
        self.failures: list[Exception] = []
        self.answered: list[tuple[int, Answer]] = []
        self.identities: list[str] = []
        self.identity = "me"
        self.at_once = 0
        self.most = 0
        self.unfit: dict[int, None] = {}

    async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
        self.came.append((asyncio.get_running_loop().time(), [ack.run_id for ack in acks]))
        self.identities.append(session)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
            if self.failures:
                raise self.failures.pop(0)
            if any(ack.run_id in self.unfit for ack in acks):
                raise ValueError("one of them is unfit")
            return [Answer.ACCEPTED] * len(acks)
        finally:
            self.at_once -= 1

    def tell(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
        self.answered += [(ack.run_id, answer) for ack, answer in zip(acks, answers, strict=True)]

    def batcher(self, **named: Any) -> AckBatcher:
        def identity() -> str:
            if not self.identity:
                raise SessionClosed("between two lives")
            return self.identity

        return AckBatcher(self, identity, self.tell, lease_seconds=10.0, **named)  # type: ignore[arg-type]

    @property
    def batches(self) -> list[list[int]]:
        return [batch for _, batch in self.came]


def ack(number: int) -> Ack:
    return Ack(number, 1, State.SUCCESS)


def run(story: Callable[[], Awaitable[None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(_as_coroutine(story))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
    finally:
        loop.close()


async def _as_coroutine(story: Callable[[], Awaitable[None]]) -> None:
    await story()


def test_an_acknowledgement_leaves_at_once_when_none_is_on_its_way() -> None:
    async def story() -> None:
        desk = Desk()
        desk.batcher().add(ack(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.came == [(0.0, [1])]

    run(story)


def test_what_one_turn_of_the_loop_brings_leaves_together() -> None:
    async def story() -> None:
        desk = Desk()
        acks = desk.batcher()
        for number in range(50):
            acks.add(ack(number))
        await asyncio.sleep(0.1)
        assert desk.batches == [list(range(50))]

    run(story)


def test_others_gather_while_one_is_on_its_way_but_not_longer_than_they_may() -> None:
    async def story() -> None:
        desk = Desk(seconds=1.0)
        acks = desk.batcher()
        acks.add(ack(0))
        await asyncio.sleep(0.001)
        for number in (1, 2, 3):
            acks.add(ack(number))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert desk.came == [(0.0, [0]), (pytest.approx(0.001 + ACK_DELAY_SECONDS), [1, 2, 3])]

    run(story)


def test_they_leave_earlier_when_the_one_on_its_way_is_back() -> None:
    async def story() -> None:
        desk = Desk(seconds=0.002)
        acks = desk.batcher()
        acks.add(ack(0))
        await asyncio.sleep(0.001)
        acks.add(ack(1))
        await asyncio.sleep(0.1)
        assert desk.came == [(0.0, [0]), (pytest.approx(0.002), [1])]

    run(story)


def test_a_full_batch_does_not_wait_and_no_batch_is_over_full() -> None:
    async def story() -> None:
        desk = Desk(seconds=1.0)
        acks = desk.batcher()
        acks.add(ack(-1))
        await asyncio.sleep(0.001)
        for number in range(ACK_BATCH_MAX + 10):
            acks.add(ack(number))
        await asyncio.sleep(0.001)
        assert [len(batch) for batch in desk.batches] == [1, ACK_BATCH_MAX]
        await asyncio.sleep(5)
        assert [len(batch) for batch in desk.batches] == [1, ACK_BATCH_MAX, 10]

    run(story)


def test_no_more_than_a_few_are_on_their_way_at_once() -> None:
    async def story() -> None:
        desk = Desk(seconds=1.0)
        acks = desk.batcher()
        for number in range(10 * ACK_BATCH_MAX):
            acks.add(ack(number))
        assert await acks.drain(60.0)
        assert desk.most == FLUSHES_MAX
        assert sorted(number for batch in desk.batches for number in batch) == list(range(10 * ACK_BATCH_MAX))

    run(story)


def test_a_batch_that_nobody_answered_is_sent_again_as_it_was() -> None:
    """So that the store can say which of it it knows."""

    async def story() -> None:
        desk = Desk()
        desk.failures = [StoreUnavailable("no answer"), StoreUnavailable("no answer")]
        acks = desk.batcher()
        acks.add(ack(1))
        acks.add(ack(2))
        await asyncio.sleep(0.01)
        acks.add(ack(3))
        await asyncio.sleep(1)
        times = [when for when, batch in desk.came if batch == [1, 2]]
        assert times == pytest.approx([0.0, REPEAT_SECONDS_MIN])
        assert sorted(desk.answered) == [(number, Answer.ACCEPTED) for number in (1, 2, 3)]

    run(story)


def test_one_unfit_acknowledgement_does_not_take_the_others_along(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        desk = Desk()
        desk.unfit[3] = None
        acks = desk.batcher()
        for number in range(6):
            acks.add(ack(number))
        await asyncio.sleep(1)
        assert sorted(desk.answered) == [
            (number, Answer.REFUSED if number == 3 else Answer.ACCEPTED) for number in range(6)
        ]

    with caplog.at_level(logging.CRITICAL):
        run(story)


def test_a_run_whose_report_cannot_be_stored_ends_and_is_not_run_again(caplog: pytest.LogCaptureFixture) -> None:
    class Picky(Desk):
        async def settle(self, session: str, acks: Sequence[Ack]) -> list[Answer]:
            if any(ack.result for ack in acks):
                raise ValueError("no result of this kind")
            return await super().settle(session, acks)

        def tell(self, acks: Sequence[Ack], answers: Sequence[Answer]) -> None:
            super().tell(acks, answers)
            told.extend(acks)

    told: list[Ack] = []

    async def story() -> None:
        desk = Picky()
        acks = desk.batcher()
        acks.add(Ack(1, 7, State.SUCCESS, result=b"odd"))
        acks.add(ack(2))
        await asyncio.sleep(1)
        assert sorted(desk.answered) == [(1, Answer.ACCEPTED), (2, Answer.ACCEPTED)]

    with caplog.at_level(logging.CRITICAL):
        run(story)
    (odd,) = (one for one in told if one.run_id == 1)
    assert (odd.token, odd.state, odd.result) == (7, State.DEAD, b"")


def test_a_lost_session_takes_its_acknowledgements_with_it() -> None:
    async def story() -> None:
        desk = Desk()
        desk.failures = [StoreUnavailable("no answer")] * 1_000
        acks = desk.batcher()
        acks.add(ack(1))
        await asyncio.sleep(0.05)
        acks.add(ack(2))
        acks.drop()
        desk.identity = ""
        await asyncio.sleep(1)
        desk.failures = []
        desk.identity = "me again"
        acks.add(ack(3))
        await asyncio.sleep(1)
        assert desk.answered == [(3, Answer.ACCEPTED)]
        assert [one for one in desk.identities if one != "me"] == ["me again"]
        assert len(acks) == 0

    run(story)


def test_what_was_about_to_leave_when_the_session_died_stays_silent() -> None:
    async def story() -> None:
        desk = Desk()
        acks = desk.batcher()
        acks.add(ack(1))
        acks._turn()  # the flush is a task that has not begun
        acks.drop()
        desk.identity = ""
        await asyncio.sleep(1)
        assert desk.came == [] and desk.answered == []

    run(story)


def test_draining_ends_when_all_was_answered_or_when_the_time_is_over() -> None:
    async def story() -> None:
        desk = Desk(seconds=0.5)
        acks = desk.batcher()
        acks.add(ack(1))
        assert await acks.drain(5.0)
        assert desk.answered == [(1, Answer.ACCEPTED)]
        desk.failures = [StoreUnavailable("down")] * 1_000
        acks.add(ack(2))
        begin = asyncio.get_running_loop().time()
        assert not await acks.drain(5.0)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(5.0)
        assert len(acks) == 0

    run(story)


def test_a_delay_that_would_make_healthy_runs_look_lost_is_refused() -> None:
    """R0.11: the threshold is checked against the lease."""
    with pytest.raises(BadSetting, match="lease"):
        Desk().batcher(delay_seconds=1.5)


@given(
    st.lists(st.tuples(st.floats(0, 0.02), st.integers(0, 30)), max_size=30),
    st.floats(0, 0.05),
    st.lists(st.booleans(), max_size=20),
)
def test_whatever_comes_leaves_once_in_order_and_in_time(
    arrivals: list[tuple[float, int]], seconds: float, luck: list[bool]
) -> None:
    async def story() -> None:
        desk = Desk(seconds)
        acks = desk.batcher()
        added: dict[int, float] = {}
        for pause, count in arrivals:
            await asyncio.sleep(pause)
            for _ in range(count):
                added[len(added)] = asyncio.get_running_loop().time()
                acks.add(ack(len(added) - 1))
        await asyncio.sleep(5)
        assert [number for batch in desk.batches for number in batch] == list(added)
        assert sorted(desk.answered) == [(number, Answer.ACCEPTED) for number in added]
        for when, batch in desk.came:
            oldest = when - min(added[number] for number in batch)
            assert oldest <= max(ACK_DELAY_SECONDS, seconds) + 1e-6

    run(story)


def test_a_batch_whose_sending_others_cancelled_is_sent_again() -> None:
    """As `asyncio.run` does with every task when a handler has stopped its loop."""

    async def story() -> None:
        desk = Desk(seconds=0.5)
        acks = desk.batcher()
        acks.add(ack(1))
        await asyncio.sleep(0.1)
        (sending,) = [task for task in asyncio.all_tasks() if task.get_name() == "shike:acks"]
        sending.cancel()
        acks.add(ack(2))
        assert await acks.drain(5)
        assert sorted(desk.answered) == [(1, Answer.ACCEPTED), (2, Answer.ACCEPTED)]

    run(story)
