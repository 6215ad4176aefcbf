"""A node that is woken from outside (R3.9): whatever becomes of the word, runs are told of once, never early (P2), and
at the latest by the node's own timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shike.bounds import WAKER_PATIENCE_SECONDS
from shike.scheduler.node import Node
from shike.session import Member
from shike.store.hints import HintKind
from tests.unit.scheduler.test_node import SECOND, hear
from tests.unit.worker.world import World, run

PROMPT = 2_000  # µs after the moment: as without a waker
PATIENT = round(WAKER_PATIENCE_SECONDS * SECOND) + PROMPT

Words = Callable[[float], tuple[float, ...]]  # from the seconds asked for to those after which the word comes


class Messenger:
    """A waker whose words come when the test says."""

    def __init__(self, words: Words, *, answers: bool = True) -> None:
        self.answers = answers
        self.asked: list[tuple[int, float]] = []
        self._words = words
        self._woken: Callable[[int], None] = lambda at: None

    def ask(self, at: int, seconds: float) -> None:
        self.asked.append((at, seconds))
        for after in self._words(seconds):
            asyncio.get_running_loop().call_later(after, self._woken, at)

    async def run(self, woken: Callable[[int], None]) -> None:
        self._woken = woken
        await asyncio.Event().wait()


def lost(seconds: float) -> tuple[float, ...]:
    return ()


def in_time(seconds: float) -> tuple[float, ...]:
    return (seconds + 0.001,)


def twice(seconds: float) -> tuple[float, ...]:
    return seconds + 0.001, seconds + 0.002


def early(seconds: float) -> tuple[float, ...]:
    return (seconds / 2,)


def late(seconds: float) -> tuple[float, ...]:
    return (seconds + 30,)


async def woken_by(world: World, messenger: Messenger) -> Node:
    member = Member(world.store, world.runtime, kind="node", name="n")
    await member.join()
    made = Node(world.store, world.runtime, member, waker=messenger)
    await made.start()
    await asyncio.sleep(0.01)
    return made


async def told_late(world: World, messenger: Messenger) -> list[int]:
    """How late, in µs, workers were told of each of three moments."""
    await woken_by(world, messenger)
    first = world.clock.wall() + 20 * SECOND
    moments = [first, first + 700_000, first + 40 * SECOND]
    for at in moments:
        await world.submit("t", due_at=at)
    await asyncio.sleep(1)
    heard = hear(world)
    await asyncio.sleep(120)
    told = [when for when, hint in heard if hint.kind is HintKind.DUE]
    assert told[0] >= first, "P2: not before"
    behind = [[when - at for when in told if 0 <= when - at < SECOND // 2] for at in moments]
    assert [len(each) for each in behind] == [1, 1, 1], "each once; the sweep alone tells of it again"
    return [each[0] for each in behind]


@pytest.mark.parametrize(
    ("words", "late_max"),
    [(in_time, PROMPT), (twice, PROMPT), (early, PROMPT), (lost, PATIENT), (late, PATIENT)],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_moment_is_told_once_never_early_and_in_time_whatever_becomes_of_the_word(
    words: Words, late_max: int
) -> None:
    async def story(world: World) -> None:
        messenger = Messenger(words)
        assert all(0 <= late <= late_max for late in await told_late(world, messenger))
        assert len({at for at, _ in messenger.asked}) == 3

    run(story)


def test_a_waker_that_does_not_answer_is_not_asked_and_not_waited_for() -> None:
    async def story(world: World) -> None:
        messenger = Messenger(lost, answers=False)
        assert all(0 <= late <= PROMPT for late in await told_late(world, messenger))
        assert messenger.asked == []

    run(story)


def test_it_is_the_wakers_word_that_wakes_and_not_the_timer_beside_it() -> None:
    async def story(world: World) -> None:
        dawdler = Messenger(lambda seconds: (seconds + WAKER_PATIENCE_SECONDS / 2,))
        half = round(WAKER_PATIENCE_SECONDS / 2 * SECOND)
        first, _, third = await told_late(world, dawdler)
        assert half <= first <= half + PROMPT and half <= third <= half + PROMPT

    run(story)


def test_a_waker_that_fails_is_begun_again_and_the_node_goes_on() -> None:
    async def story(world: World) -> None:
        begun: list[float] = []

        class Broken(Messenger):
            async def run(self, woken: Callable[[int], None]) -> None:
                begun.append(world.loop.time())
                raise RuntimeError("no broker is like this")

        assert all(0 <= late <= PATIENT for late in await told_late(world, Broken(lost)))
        assert len(begun) > 2

    run(story)


def test_a_word_of_a_moment_that_nobody_asked_for_does_no_harm() -> None:
    async def story(world: World) -> None:
        made = await woken_by(world, Messenger(in_time))
        heard = hear(world)
        for at in (0, 2**62, world.clock.wall()):
            made.scanner.woken(at)
        await asyncio.sleep(5)
        assert [hint for _, hint in heard if hint.kind is HintKind.DUE] == []

    run(story)
