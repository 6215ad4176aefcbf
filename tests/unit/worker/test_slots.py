"""Slots: what a handler may do, what may be done to it, and that nothing of it is left for the next one."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import msgspec
import pytest

from shike.model import Backoff, State
from shike.store.verbs import Ack, Claimed
from shike.worker.context import current
from shike.worker.outcome import Cancel, Retry, Snooze
from tests.unit.worker.world import World, cancel_myself, end, of_one_slot, read_attempt, run

# ---------------------------------------------------------------- no task of its own


def test_handlers_that_never_wait_cost_no_task_and_no_second_slot() -> None:
    async def story(world: World) -> None:
        tasks: dict[int, None] = {}

        async def quick() -> None:
            tasks[id(asyncio.current_task())] = None

        world.task(quick)
        await world.worker(slots=100)
        await world.submit("quick", 500)
        await asyncio.sleep(0.1)
        assert (await world.store.counts()).ended == {"SUCCESS": 500}
        assert len(tasks) == 1

    run(story)


def test_a_handler_that_waits_lets_another_slot_work() -> None:
    async def story(world: World) -> None:
        seen: list[str] = []

        async def slow() -> None:
            seen.append("slow begins")
            await asyncio.sleep(1)
            seen.append("slow ends")

        async def quick() -> None:
            seen.append("quick")

        world.task(slow)
        world.task(quick)
        await world.worker(slots=2)
        await world.submit("slow")
        await world.submit("quick")
        await asyncio.sleep(2)
        assert seen == ["slow begins", "quick", "slow ends"]

    run(story)


def test_the_current_task_is_the_same_from_the_first_line_to_the_last() -> None:
    async def story(world: World) -> None:
        seen = []

        async def look() -> None:
            for _ in range(3):
                seen.append(asyncio.current_task())
                await asyncio.sleep(0.01)

        world.task(look)
        await world.submit("look")
        await asyncio.sleep(1)
        assert len(seen) == 3 and len(set(seen)) == 1

    of_one_slot(story)


def test_time_outs_and_task_groups_of_a_handler_behave() -> None:
    async def story(world: World) -> None:
        async def nested() -> list[str]:
            told = []
            try:
                async with asyncio.timeout(0.1):
                    await asyncio.sleep(60)
            except TimeoutError:
                told.append("timeout")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.sleep(60))
                    group.create_task(fail())
            except* ValueError:
                told.append("group")
            told.append(await asyncio.wait_for(asyncio.sleep(0.01, "waited"), 5))
            return told

        async def fail() -> None:
            await asyncio.sleep(0.01)
            raise ValueError

        world.task(nested)
        ended = await end(world, "nested")
        assert msgspec.json.decode(ended.result) == ["timeout", "group", "waited"]

    of_one_slot(story)


# ---------------------------------------------------------------- nothing is left behind

mood = contextvars.ContextVar("mood", default="calm")


@pytest.mark.parametrize("rescued", [False, True])
def test_context_variables_do_not_leak_from_run_to_run(rescued: bool) -> None:
    async def story(world: World) -> None:
        seen: list[str] = []

        async def moody() -> None:
            seen.append(mood.get())
            mood.set("angry")
            await asyncio.sleep(0.01)
            assert mood.get() == "angry", "and stay within it"

        world.task(moody)
        await (world.rescued if rescued else world.submit)("moody", 3)
        await world.worker(slots=1)
        await asyncio.sleep(1)
        assert seen == ["calm"] * 3

    run(story)


def test_a_handler_sees_its_own_run_and_nobody_else_does() -> None:
    async def story(world: World) -> None:
        seen: dict[str, tuple[str, int, int]] = {}

        async def look() -> None:
            before = current()
            await asyncio.sleep(0.01)
            assert current() is before
            seen[before.id] = before.id, before.attempt, before.token

        world.task(look)
        worker, _ = await world.worker(slots=3)
        outside: list[bool] = []
        tell = worker.slots.ended

        def ended(claimed: Claimed, ack: Ack | None) -> None:
            outside.append(_sees_a_run())
            tell(claimed, ack)

        worker.slots.ended = ended
        ids = await world.submit("look", 6)
        await asyncio.sleep(1)
        assert {int(key): int(value[0]) for key, value in seen.items()} == {one: one for one in ids}
        assert outside == [False] * 6

    run(story)


def _sees_a_run() -> bool:
    try:
        current()
    except LookupError:
        return False
    return True


@pytest.mark.parametrize("waits", [True, False])
def test_a_handler_that_cancels_its_own_task_harms_only_itself(waits: bool) -> None:
    async def story(world: World) -> None:
        async def odd() -> None:
            cancel_myself()
            if waits:
                await asyncio.sleep(0)

        async def group() -> str:
            told = "nothing was raised"
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(fail())
            except* ValueError:
                told = "as always"
            return told

        async def fail() -> None:
            raise ValueError

        world.task(odd)
        world.task(group)
        first = await end(world, "odd")
        assert first.state is (State.DEAD if waits else State.SUCCESS)
        assert (await end(world, "group")).result == b'"as always"'

    of_one_slot(story)


class Hurt(BaseException):
    """Neither an Exception nor known to anybody."""


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot be printed")


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"), Hurt("ouch"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit(),
        StopIteration(), StopAsyncIteration(), Broken(), ValueError("a file called \udce4"), ValueError("x" * 100_000),
        ExceptionGroup("many", [ValueError("1"), TypeError("2")]), MemoryError(), RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
@pytest.mark.parametrize("waits", [False, True])
def test_whatever_a_handler_raises_fails_its_own_run_only(error: BaseException, waits: bool) -> None:
    async def story(world: World) -> None:
        async def bad() -> None:
            if waits:
                await asyncio.sleep(0.01)
            raise error

        async def good() -> None: ...

        world.task(bad)
        world.task(good)
        ended = await end(world, "bad")
        assert ended.state is State.DEAD
        assert type(error).__name__ in ended.reason or isinstance(error, StopIteration | StopAsyncIteration)
        assert len(ended.reason) <= 4_000
        assert read_attempt(ended.trace).error == ended.reason
        assert (await end(world, "good")).state is State.SUCCESS

    of_one_slot(story)


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [
        (Snooze(float("nan")), State.DEAD, "pause"),
        (Snooze(-1.0), State.DEAD, "pause"),
        (Snooze("10m"), State.DEAD, "pause"),  # type: ignore[arg-type]
        (Snooze(float("inf")), State.DEAD, "pause"),
        (Retry(seconds=float("inf")), State.DEAD, "pause"),
        (Retry(at="tomorrow"), State.DEAD, "datetime"),  # type: ignore[arg-type]
        (Retry(seconds="soon"), State.DEAD, "pause"),  # type: ignore[arg-type]
        (Cancel("not \udce4 needed"), State.CANCELLED, "needed"),
        (Cancel(17), State.CANCELLED, "17"),  # type: ignore[arg-type]
        (object(), State.DEAD, "JSON"),
        (float("nan"), State.DEAD, "JSON"),
        ("\ud800", State.DEAD, "JSON"),
        ("x" * 70_000, State.DEAD, "limit"),
    ],
    ids=[
        *("snooze-nan", "snooze-negative", "snooze-text", "snooze-inf", "retry-inf", "retry-at-text", "retry-text"),
        *("cancel-surrogate", "cancel-number", "object", "nan", "surrogate", "too-large"),
    ],
)
def test_what_a_handler_returns_cannot_hurt_the_others_of_its_batch(value: Any, state: State, reason: str) -> None:
    async def story(world: World) -> None:
        async def odd() -> Any:
            return value

        async def good() -> None: ...

        world.task(odd, retry=Backoff(attempts=3))
        world.task(good)
        (strange,) = await world.submit("odd")
        fine = await world.submit("good", 20)
        worker, _ = await world.worker(slots=30)
        await asyncio.sleep(1)
        ended = await world.ended(strange)
        assert ended.state is state and reason in ended.reason
        assert [(await world.ended(one)).state for one in fine] == [State.SUCCESS] * 20
        assert worker.stale == 0

    run(story)


def test_arguments_that_no_longer_fit_go_to_the_dead_letters_with_the_reason() -> None:
    class Fussy(msgspec.Struct):
        size: int

        def __post_init__(self) -> None:
            raise LookupError("the shop is closed")

    async def story(world: World) -> None:
        async def takes_one(n: int) -> None: ...

        async def takes_fussy(one: Any) -> None: ...

        takes_fussy.__annotations__["one"] = Fussy
        world.task(takes_one, retry=Backoff(attempts=5))
        world.task(takes_fussy)
        for args in (b"{}", b'{"n":"x"}', b"not json", b'{"n":1,"m":2}', b"\xff"):
            ended = await end(world, "takes_one", args=args)
            assert ended.state is State.DEAD and "takes_one" in ended.reason
        ended = await end(world, "takes_fussy", args=b'{"one":{"size":1}}')
        assert ended.state is State.DEAD and "the shop is closed" in ended.reason

    of_one_slot(story)


def test_options_that_a_newer_program_wrote_do_not_stop_the_worker() -> None:
    async def story(world: World) -> None:
        async def fine() -> None:
            await asyncio.sleep(0.01)

        world.task(fine)
        ended = await end(world, "fine", options=b'{"retry":{"growth":"fibonacci"}}')
        assert ended.state is State.DEAD and "options" in ended.reason
        assert (await end(world, "fine")).state is State.SUCCESS

    of_one_slot(story)


def test_a_codec_that_fails_fails_the_run() -> None:
    class Picky:
        def encode(self, data: bytes) -> bytes:
            raise OSError("no key today")

        def decode(self, data: bytes) -> bytes:
            return data

    async def story(world: World) -> None:
        async def one() -> int:
            return 1

        world.task(one)
        await world.worker(slots=1, codec=Picky())
        ended = await end(world, "one")
        assert ended.state is State.DEAD and "no key today" in ended.reason

    run(story)


def test_progress_is_refused_where_it_is_given_and_seen_with_the_next_beat() -> None:
    async def story(world: World) -> None:
        refused = []

        async def report() -> None:
            try:
                current().progress(object())
            except ValueError as error:
                refused.append(error)
            current().progress({"share": 0.5})
            await asyncio.sleep(30)

        world.task(report)
        _, member = await world.worker(slots=1)
        (run_id,) = await world.submit("report")
        await asyncio.sleep(2.5)
        assert len(refused) == 1
        assert (await world.live(run_id)).progress == b'{"share":0.5}'
        assert member.valid()

    run(story)
