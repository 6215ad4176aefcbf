"""Steps: a context manager and a decorator name what a handler does; bounded, nested, and nearly free."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from shike import step, traced
from shike.attempts import OUTSIDE, UserStep
from shike.bounds import STEP_NAME_CHARS_MAX, STEPS_MAX
from shike.errors import BadInput
from shike.worker.context import Context, running
from shike.worker.notes import Notes
from tests import bounded
from tests.unit.worker.calls import RUN


class Ticks:
    """A clock that goes on by one with each look."""

    def __init__(self) -> None:
        self.now = 100

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def context() -> Iterator[Context]:
    """A run is under way here."""
    one = Context(RUN, 1, 1, 0, 0, Ticks())
    token = running.set(one)
    yield one
    running.reset(token)


def steps(context: Context) -> tuple[UserStep, ...]:
    notes = context.noted()
    return notes.steps(999) if notes is not None else ()


def test_a_step_notes_its_entry_its_exit_and_what_it_lies_in(context: Context) -> None:
    with step("outer"):
        with step("inner"):
            pass
        with step("second"):
            pass
    assert steps(context) == (
        UserStep("outer", 101, 5, OUTSIDE),
        UserStep("inner", 102, 1, 0),
        UserStep("second", 104, 1, 0),
    )


def test_a_step_that_raises_keeps_the_type_and_hides_nothing(context: Context) -> None:
    with pytest.raises(LookupError, match="gone"), step("look"):
        raise LookupError("gone")
    assert [(one.name, one.error) for one in steps(context)] == [("look", "LookupError")]


def test_a_step_that_is_not_over_lasts_until_the_attempt_ends(context: Context) -> None:
    step("forgotten").__enter__()
    assert steps(context) == (UserStep("forgotten", 101, 999 - 101),)


def test_a_decorated_function_is_a_step_each_time(context: Context) -> None:
    @traced
    def double(number: int) -> int:
        """Twice."""
        return 2 * number

    @traced(name="halve")
    async def half(number: int) -> float:
        return number / 2

    assert double(double(2)) == 8 and asyncio.run(half(3)) == 1.5
    assert [one.name for one in steps(context)] == ["double", "double", "halve"]
    assert double.__doc__ == "Twice." and asyncio.iscoroutinefunction(half)


def test_what_yields_cannot_be_a_step() -> None:
    def some() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (some, later):
        with pytest.raises(TypeError, match="generator"):
            traced(function)


def test_tasks_of_one_handler_nest_each_for_itself(context: Context) -> None:
    @traced
    async def leg(name: str, other: asyncio.Event, mine: asyncio.Event) -> None:
        mine.set()
        await other.wait()
        with step(f"{name}'s own"):
            pass

    async def both() -> None:
        one, two = asyncio.Event(), asyncio.Event()
        with step("journey"):
            await asyncio.gather(leg("a", one, two), leg("b", two, one))

    asyncio.run(both())
    found = steps(context)
    around = {one.name: found[one.inside].name for one in found if one.inside != OUTSIDE and "own" in one.name}
    assert [one.inside for one in found[1:3]] == [0, 0] and set(around) == {"a's own", "b's own"}
    assert {found.index(one) for one in found[1:3]} == {one.inside for one in found[3:]}


def test_threads_of_a_handler_are_seen_where_they_inherit_its_context(context: Context) -> None:
    def work() -> None:
        with step("in a thread"):
            pass

    async def story() -> None:
        with step("outside"):
            await asyncio.to_thread(work)
        thread = threading.Thread(target=work)  # with a context of its own: nothing is known of the run
        thread.start()
        bounded.joined(thread)

    asyncio.run(story())
    assert [(one.name, one.inside) for one in steps(context)] == [("outside", OUTSIDE), ("in a thread", 0)]


def test_steps_are_bounded_and_what_is_too_much_is_counted(context: Context) -> None:
    with step("all" * 100):
        for _ in range(STEPS_MAX + 5):
            with step("one"):
                pass
    notes = context.noted()
    assert notes is not None and notes.lost == 6 and len(steps(context)) == STEPS_MAX
    assert len(steps(context)[0].name) == STEP_NAME_CHARS_MAX
    assert all(one.inside == 0 for one in steps(context)[1:])


def test_without_a_run_or_without_tracing_nothing_is_kept() -> None:
    with step("nowhere"):
        pass
    silent = Context(RUN, 1, 1, 0, 0, Ticks(), traces=False)
    token = running.set(silent)
    with step("unheard"):
        pass
    running.reset(token)
    assert silent.noted() is None and silent.notes() is None


def test_notes_are_made_once_however_many_threads_begin(context: Context) -> None:
    found: list[Notes | None] = []
    threads = [threading.Thread(target=lambda: found.append(context.notes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        bounded.joined(thread)
    assert len({id(notes) for notes in found}) == 1


def test_names_that_cannot_be_stored_are_told_and_others_refused(context: Context) -> None:
    with step("half a sign \ud800"), step("查票"):
        pass
    assert [one.name for one in steps(context)] == ["half a sign ?", "查票"]
    with pytest.raises(BadInput, match="its name is a text"):
        step(7)  # type: ignore[arg-type]


def test_what_is_no_function_cannot_be_traced_and_what_is_like_one_can(context: Context) -> None:
    class Parcel:
        """A class is no function: wrapped, it could not be inherited from."""

    for function in (3, "name", Parcel):
        with pytest.raises(BadInput, match="for functions"):
            traced(function)  # type: ignore[call-overload]
    with pytest.raises(BadInput, match="its name is a text"):
        traced(name=7)  # type: ignore[call-overload]
    assert traced(functools.partial(int, "8"))() == 8
    assert [one.name for one in steps(context)] == ["partial"]
