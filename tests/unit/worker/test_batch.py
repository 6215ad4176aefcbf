"""Many runs, one call: each with its own end (R2.7, R2.10)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from shike import Retry, Shike, Snooze, current, currents, step
from shike.bounds import BATCH_RUNS_MAX
from shike.errors import BadArguments, BadInput, RunFailed
from shike.model import State
from shike.operate import traces
from shike.testing import harness
from shike.testing.harness import Harness
from tests.unit.worker.world import World, run

app = Shike("memory://")
calls: list[list[Any]] = []
snoozed: set[str] = set()


@app.task(batch=100, window="50ms")
async def double(numbers: list[int]) -> list[int]:
    calls.append(numbers)
    return [2 * number for number in numbers]


@app.task(batch=3, window="1s")
async def note(words: list[str]) -> None:
    calls.append(words)


@app.task(batch=10, retry=2)
async def fussy(numbers: list[int]) -> list[int]:
    calls.append(list(numbers))
    answers: list[Any] = []
    for number, context in zip(numbers, currents(), strict=True):
        match number:
            case 1:
                answers.append(ValueError("not this one"))
            case 2:
                answers.append(22 if context.id in snoozed else Snooze(5.0))
                snoozed.add(context.id)
            case 3:
                answers.append(Retry(seconds=1.0) if context.attempt == 1 else 33)
            case _:
                answers.append(number)
    return answers


@app.task(batch=3, retry=1)
async def clumsy(numbers: list[int]) -> None:
    logging.getLogger("clumsy").warning("%d at once", len(numbers))
    with step("weigh"):
        raise ValueError("dropped")


@pytest.fixture
def time() -> Iterator[Harness]:
    calls.clear()
    with harness(app) as found:
        yield found


def test_runs_that_come_together_are_one_call_and_each_has_its_result(time: Harness) -> None:
    handles = [double.submit(number) for number in range(10)]
    time.run_due()
    assert calls == [list(range(10))]
    assert [handle.result() for handle in handles] == [2 * number for number in range(10)]


def test_a_batch_is_called_when_it_is_full_or_its_window_is_over(time: Harness) -> None:
    for word in "abcdefgh":
        note.submit(word)
    time.advance("500ms")
    assert calls == [["a", "b", "c"], ["d", "e", "f"]]
    time.advance("1s")
    assert calls[2:] == [["g", "h"]]


def test_an_answer_may_be_a_failure_a_snooze_or_a_wish_to_try_again(time: Harness) -> None:
    handles = [fussy.submit(number) for number in range(5)]
    time.advance("1m")
    assert [handles[number].result() for number in (0, 2, 3, 4)] == [0, 22, 33, 4]
    with pytest.raises(RunFailed, match="not this one"):
        handles[1].result()
    assert calls[0] == [0, 1, 2, 3, 4]


def test_a_handler_that_raises_fails_every_run_of_its_batch_and_nobody_elses() -> None:
    async def story(world: World) -> None:
        other = Shike("memory://")

        @other.task(batch=2, retry=2)
        async def picky(numbers: list[int]) -> None:
            if 13 in numbers:
                raise RuntimeError("unlucky")

        world.tasks["picky"] = other.tasks[picky.name]
        await world.worker(slots=4)
        ids = []
        for number in (13, 1, 2, 3):
            ids += await world.submit("picky", args=msgspec.json.encode({"numbers": number}))
        await asyncio.sleep(0.5)
        states = [(await world.store.find(run_id)).state for run_id in ids]  # type: ignore[union-attr]
        assert states == [State.FAILED, State.FAILED, State.SUCCESS, State.SUCCESS]

    run(story)


def test_a_wrong_number_of_answers_is_nobodys_result() -> None:
    wrong = Shike("memory://")

    @wrong.task(batch=5)
    async def short(numbers: list[int]) -> list[int]:
        return numbers[1:]

    with harness(wrong) as found:
        handles = [short.submit(number) for number in range(3)]
        found.run_due()
        with pytest.raises(RunFailed, match="a batch of 3 was answered with 2 answers"):
            handles[0].result()


def test_one_run_that_is_cancelled_leaves_the_others_alone() -> None:
    async def story(world: World) -> None:
        other, went_on = Shike("memory://"), []

        @other.task(batch=3)
        async def slow(numbers: list[int]) -> None:
            await asyncio.sleep(2.0)
            went_on.append(len(numbers))

        world.tasks["slow"] = other.tasks[slow.name]
        worker, _ = await world.worker(slots=4)
        ids = await world.submit("slow", 3, args=b'{"numbers": 1}')
        await asyncio.sleep(1.0)
        worker._cancel(ids[0])
        await asyncio.sleep(3.0)
        states = [(await world.ended(run_id)).state for run_id in ids]
        assert states == [State.CANCELLED, State.SUCCESS, State.SUCCESS]
        assert went_on == [3]
        ids = await world.submit("slow", 3, args=b'{"numbers": 1}')
        await asyncio.sleep(1.0)
        for run_id in ids:
            worker._cancel(run_id)
        await asyncio.sleep(5.0)
        assert went_on == [3], "nobody waits for it any more"

    run(story)


def test_each_run_has_its_own_time_out() -> None:
    async def story(world: World) -> None:
        other = Shike("memory://")

        @other.task(batch=2, timeout="1s")
        async def stuck(numbers: list[int]) -> None:
            await asyncio.sleep(60)

        world.tasks["stuck"] = other.tasks[stuck.name]
        await world.worker(slots=4)
        ids = await world.submit("stuck", 2, args=b'{"numbers": 1}')
        await asyncio.sleep(3.0)
        for run_id in ids:
            assert "longer than 1 s" in (await world.ended(run_id)).reason

    run(story)


def test_the_runs_of_a_batch_are_known_in_its_order_and_none_is_the_one(time: Harness) -> None:
    seen: list[Any] = []
    mine = Shike("memory://")

    @mine.task(batch=4)
    async def look(numbers: list[int]) -> None:
        seen.extend([context.id for context in currents()])
        with pytest.raises(LookupError, match="currents"):
            current()

    @mine.task
    async def alone() -> int:
        return len(currents())

    with harness(mine) as found:
        handles = [look.submit(number) for number in range(3)]
        one = alone.submit()
        found.run_due()
        assert seen == [handle.id for handle in handles]
        assert one.result() == 1
    with pytest.raises(LookupError):
        currents()


def test_what_a_run_is_given_is_checked_where_it_is_given() -> None:
    with pytest.raises(BadArguments):
        double.bind("no number")  # type: ignore[arg-type]
    with pytest.raises(BadArguments):
        double.bind(1, 2)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch": 0}, "batch=0"),
        ({"batch": True}, "batch=True"),
        ({"batch": BATCH_RUNS_MAX + 1}, "1,000"),
        ({"batch": 5, "window": "2h"}, "window="),
        ({"window": "1s"}, "batch=100"),
        ({"batch": 5, "executor": "thread"}, "event loop"),
    ],
)
def test_settings_that_make_no_batch_are_refused(settings: dict[str, Any], words: str) -> None:
    async def handler(items: list[int]) -> None: ...

    with pytest.raises(BadInput, match=words):
        Shike("memory://").task(**settings)(handler)


def test_handlers_that_take_no_batch_are_refused() -> None:
    def blocking(items: list[int]) -> None: ...

    async def two(items: list[int], more: int) -> None: ...

    for handler, words in ((blocking, "to_thread"), (two, "one parameter")):
        with pytest.raises(BadInput, match=words):
            Shike("memory://").task(batch=3)(handler)  # type: ignore[call-overload]


def test_steps_and_log_lines_of_a_batch_are_those_of_each_of_its_runs(time: Harness) -> None:
    handles = [clumsy.submit(number) for number in range(3)]
    time.run_due()
    for handle in handles:
        run_id = int(handle.id)
        (failure,) = time.run(traces.failures(app.client, run_id))
        assert [line.text for line in failure.log] == ["3 at once"]
        assert "step weigh" in [point.step for point in time.run(traces.of_run(time.store, run_id)).points]
