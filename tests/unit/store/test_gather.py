"""Callers that come at the same time share a round trip, and each gets an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shike.store.gather import Gather
from tests import bounded


class Server:
    """Doubles numbers, one batch at a time; refuses 13; answers when it is let."""

    def __init__(self, **options: object) -> None:
        self.batches: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fails = False
        self.gather: Gather[int, int] = Gather(self.send, **{"most": 100, **options})  # type: ignore[arg-type]

    async def send(self, numbers: list[int]) -> Sequence[int | BaseException]:
        self.batches.append(numbers)
        await asyncio.sleep(0)
        await self.may_answer.wait()
        if self.fails:
            raise ConnectionError("gone")
        return [ValueError("13") if number == 13 else 2 * number for number in numbers]


async def settled(*asks: asyncio.Task[int]) -> None:
    """Let everybody go as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_comes_alone_goes_at_once() -> None:
    async def main() -> None:
        server = Server()
        assert await server.gather.ask(3) == 6
        assert await server.gather.ask(4) == 8
        assert server.batches == [[3], [4]]

    bounded.run(main())


def test_who_comes_while_a_trip_is_under_way_goes_together_next() -> None:
    async def main() -> None:
        server = Server()
        server.may_answer.clear()
        first = asyncio.ensure_future(server.gather.ask(1))
        await settled()
        others = [asyncio.ensure_future(server.gather.ask(number)) for number in (2, 3, 4)]
        await settled()
        assert server.batches == [[1]], "nobody goes before the first is back"
        server.may_answer.set()
        assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
        assert server.batches == [[1], [2, 3, 4]]

    bounded.run(main())


def test_a_batch_is_bounded_by_weight_and_what_weighs_more_goes_alone() -> None:
    async def main() -> None:
        server = Server(most=10, weigh=lambda number: number)
        numbers = [4, 5, 3, 25, 1, 9]
        assert await asyncio.gather(*map(server.gather.ask, numbers)) == [2 * number for number in numbers]
        assert server.batches == [[4, 5], [3], [25], [1, 9]]

    bounded.run(main())


def test_one_who_is_refused_spoils_it_for_nobody() -> None:
    async def main() -> None:
        server = Server()
        answers = await asyncio.gather(*map(server.gather.ask, (1, 13, 2)), return_exceptions=True)
        assert server.batches == [[1, 13, 2]]
        assert (answers[0], answers[2]) == (2, 4)
        assert isinstance(answers[1], ValueError)

    bounded.run(main())


def test_a_trip_that_fails_fails_for_all_on_it_and_the_next_goes() -> None:
    async def main() -> None:
        server = Server()
        server.fails = True
        answers = await asyncio.gather(*map(server.gather.ask, (1, 2)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ConnectionError, ConnectionError]
        server.fails = False
        assert await server.gather.ask(5) == 10

    bounded.run(main())


def test_who_gave_up_while_waiting_asked_for_nothing() -> None:
    async def main() -> None:
        server = Server()
        server.may_answer.clear()
        first = asyncio.ensure_future(server.gather.ask(1))
        await settled()
        second, third = (asyncio.ensure_future(server.gather.ask(number)) for number in (2, 3))
        await settled()
        second.cancel()
        first.cancel()
        await settled()
        server.may_answer.set()
        assert await third == 6
        assert server.batches == [[1], [3]], "the first was on its way already"

    bounded.run(main())


def test_each_event_loop_has_a_line_of_its_own() -> None:
    server: list[Server] = []

    async def main(number: int) -> int:
        if not server:
            server.append(Server())
        server[0].may_answer = asyncio.Event()
        server[0].may_answer.set()
        return await server[0].gather.ask(number)

    assert [bounded.run(main(number)) for number in (1, 2)] == [2, 4]


def test_the_end_of_an_event_loop_leaves_nobody_waiting_on_another() -> None:
    async def main(server: Server) -> None:
        server.may_answer.clear()
        for number in (1, 2):
            server.tasks.append(asyncio.ensure_future(server.gather.ask(number)))  # type: ignore[attr-defined]
            await settled()

    server = Server()
    server.tasks = []  # type: ignore[attr-defined]
    bounded.run(main(server))
    assert all(task.cancelled() for task in server.tasks)  # type: ignore[attr-defined]
    server.may_answer = asyncio.Event()
    server.may_answer.set()
    assert bounded.run(server.gather.ask(7)) == 14


def test_a_child_of_a_fork_begins_with_an_empty_line() -> None:
    async def main() -> None:
        server = Server()
        server.may_answer.clear()
        lost = asyncio.ensure_future(server.gather.ask(1))
        await settled()
        server.gather.forget()
        server.may_answer.set()
        assert await server.gather.ask(2) == 4
        assert await lost == 2

    bounded.run(main())


@pytest.mark.parametrize("callers", [1, 7, 100])
def test_everybody_gets_their_own_answer(callers: int) -> None:
    async def main() -> None:
        server = Server(most=3)

        async def call(number: int) -> None:
            for turn in range(5):
                if number % 13:
                    await asyncio.sleep(0)
                assert await server.gather.ask(1000 * number + turn) == 2 * (1000 * number + turn)

        await asyncio.gather(*map(call, range(callers)))
        assert max(map(len, server.batches)) <= 3

    bounded.run(main())
