"""R0.14, R2.3: a route is chosen per task, per call and per schedule; what is wrong with it is said there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from shike import Roles, Route, Shike
from shike.bounds import TAGS_MAX
from shike.errors import BadInput, BadSetting, UnknownRoute
from shike.model import Options, Run
from shike.store.codec import Plain
from shike.store.memory import MemoryStore


def app() -> Shike:
    return Shike(MemoryStore())


def run_of(call: Any) -> Run:
    run: Run = call.entry(1 << 8, 0, Plain()).run
    return run


def test_a_routed_run_waits_in_the_hall_of_its_queue_with_its_route() -> None:
    @app().task(queue="mail", route="round_robin")
    async def send() -> None: ...

    run = run_of(send.bind())
    assert run.queue == "mail>"
    assert msgspec.json.decode(run.options, type=Options).route == Route(by="round_robin")


def test_any_is_no_route_and_its_runs_are_as_small_as_before() -> None:
    made = app()

    @made.task(route="any")
    async def one() -> None: ...

    @made.task
    async def two() -> None: ...

    for task in (one, two):
        run = run_of(task.bind())
        assert (run.queue, run.options) == ("default", b"")


def test_a_call_chooses_another_route_than_its_task_or_none() -> None:
    @app().task(route="first")
    async def work() -> None: ...

    assert run_of(work.options(route="any").bind()).queue == "default"
    other = run_of(work.options(route=Route(required=("gpu",)), queue="slow").bind())
    assert other.queue == "slow>"
    assert msgspec.json.decode(other.options, type=Options).route == Route(by="least_busy", required=("gpu",))


def test_a_schedule_takes_the_route_of_its_task() -> None:
    made = app()

    @made.task(route="failover")
    async def tick() -> None: ...

    made.schedule(tick.bind(), every="1h", name="hourly")
    (schedule,) = made.schedules
    assert schedule.queue == "default>"
    assert msgspec.json.decode(schedule.options, type=Options).route == Route(by="failover")
    assert made.queues == ["default"]


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("round-robin", "did you mean round_robin"),
        (Route(by="by_the_moon"), "no route 'by_the_moon'"),
        (Route(by="any", required=("gpu",)), "no way to choose"),
        (Route(required=("gpu",), anti=("gpu",)), "have gpu and have it not"),
        (Route(required=("a b",)), "no word"),
        (Route(required=tuple(map(str, range(TAGS_MAX + 1)))), "more than"),
        (Route(slots=0), "a whole number from 1"),
        (Route(affinity="x" * 500), "at most"),
        (Route(session="x" * 500), "at most"),
        (Route(session="s", on_gone="perhaps"), "failover, skip"),  # type: ignore[arg-type]
        (7, "neither the name of a route nor a Route"),
    ],
)
def test_a_wrong_route_is_refused_where_it_is_given(route: Any, words: str) -> None:
    async def work() -> None: ...

    with pytest.raises(BadInput, match=words):
        app().task(route=route)(work)
    with pytest.raises(BadInput, match=words):
        app().task(work).options(route=route)


def test_an_unknown_route_is_an_error_of_its_own() -> None:
    async def work() -> None: ...

    with pytest.raises(UnknownRoute):
        app().task(route="nope")(work)


def test_a_queue_cannot_be_named_like_a_lane() -> None:
    async def work() -> None: ...

    with pytest.raises(BadInput, match=">"):
        app().task(queue="mail>")(work)


@pytest.mark.parametrize("wrong", [{"tags": "gpu"}, {"tags": ["a,b"]}, {"weight": 0.0}, {"weight": float("nan")}])
def test_a_worker_cannot_be_what_no_route_understands(wrong: dict[str, Any]) -> None:
    with pytest.raises((BadInput, BadSetting)):
        Roles(**wrong)
