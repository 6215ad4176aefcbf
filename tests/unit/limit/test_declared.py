"""R0.9: limits are declared with a task or at an argument, and what can never be met is refused there."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from shike import Concurrency, Cooldown, Debounce, FairShare, Key, Rate, Shike
from shike.errors import BadArguments, BadInput, BadLimit, TooLarge
from shike.limit.declared import limits_of
from shike.limit.gates import read
from shike.model import Options, Overlap, Run
from shike.scheduler.moments import gate_of
from shike.store.codec import Plain
from shike.store.memory import MemoryStore


def app() -> Shike:
    return Shike(MemoryStore())


def run_of(call: Any) -> Run:
    run: Run = call.entry(1 << 8, 0, Plain()).run
    return run


def test_a_run_of_a_limited_task_waits_at_the_gate_of_its_arguments() -> None:
    @app().task(name="send", limits=[Concurrency(4, by="tenant"), Rate("100/m", by=("tenant", "region"))])
    async def send(tenant: str, region: str = "eu", size: int = 0) -> None: ...

    run = run_of(send.bind("acme", size=7))
    assert run.gate == 'limit/["send",{"region":"eu","tenant":"acme"}]'
    gate = read(run.gate)
    assert gate is not None and (gate.task, gate.values) == ("send", {"region": "eu", "tenant": "acme"})


def test_a_task_without_limits_has_runs_as_small_as_before() -> None:
    @app().task
    async def plain(tenant: str) -> None: ...

    assert run_of(plain.bind("acme")).gate == ""


def test_a_marked_argument_is_what_limits_go_by_where_they_name_none() -> None:
    def send(tenant: Annotated[str, Key], size: int) -> None: ...

    found = limits_of("send", send, [Concurrency(4), Rate("1/s", by="*")])
    assert found is not None
    assert [one.name for one in found.named] == ["concurrency:tenant", "rate"]
    assert found.args == ("tenant",)


def test_a_limit_may_stand_at_the_argument_it_goes_by() -> None:
    def send(tenant: Annotated[str, Concurrency(4)], size: int) -> None: ...

    found = limits_of("send", send, None)
    assert found is not None and [one.name for one in found.named] == ["concurrency:tenant"]


def test_two_limits_of_one_kind_have_names_of_their_own() -> None:
    def send() -> None: ...

    found = limits_of("send", send, [Rate("10/s"), Rate("100/m")])
    assert found is not None and [one.name for one in found.named] == ["rate", "rate#2"]


def test_a_key_is_what_json_says_it_is() -> None:
    @app().task(name="bill", limits=[Concurrency(1, by="user")])
    async def bill(user: int) -> None: ...

    assert run_of(bill.bind(5)).gate == 'limit/["bill",{"user":5}]'


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Concurrency(0), "cap=0"),
        (lambda: Concurrency(True), "cap=True"),
        (lambda: Concurrency(10_001), "from 1 to 10,000"),
        (lambda: Rate("0/s"), "no rate"),
        (lambda: Rate("10"), "no rate"),
        (lambda: Rate("1_0/s"), "no rate"),
        (lambda: Rate("+5/s"), "no rate"),
        (lambda: Rate("٣/s"), "no rate"),
        (lambda: Rate({}), "no rate"),  # type: ignore[arg-type]
        (lambda: Rate("10/fortnight"), "the period"),
        (lambda: Rate("10/s", burst=2, cost=3), "none could ever begin"),
        (lambda: Rate("10/s", cost=0), "cost=0"),
        (lambda: Debounce(0), "not above 0"),
        (lambda: Debounce("10s", max_wait="5s"), "shorter than the window"),
        (lambda: Cooldown("-1s"), "rest"),
        (lambda: Cooldown("1s", after="lunch"), "after='lunch'"),
        (lambda: FairShare(4, by="tenant", weights={"a": 0}), "weight of 'a'"),
        (lambda: FairShare(4, by="tenant", weights={"a": float("nan")}), "weight of 'a'"),
        (lambda: Concurrency(1, by=5), "by=5"),  # type: ignore[arg-type]
    ],
)
def test_a_limit_that_can_never_be_met_is_refused_where_it_is_made(make: Any, words: str) -> None:
    with pytest.raises(BadLimit, match=words):
        make()


def test_a_rate_whose_run_costs_more_than_its_period_gives_still_lets_one_begin() -> None:
    assert Rate("2/s", cost=5).burst_tokens == 5


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ([Concurrency(1, by="tennant")], "did you mean 'tenant'"),
        ([Concurrency(1, by="nothing_like_it")], "it has: tenant, size"),
        ([FairShare(4)], "needs by="),
        (["4"], "is no limit"),
        (4, "are no limits"),
        ([Concurrency(1)] * 9, "at most 8"),
    ],
)
def test_what_does_not_fit_the_handler_is_refused_where_the_task_is_declared(limits: Any, words: str) -> None:
    def send(tenant: str, size: int) -> None: ...

    with pytest.raises(BadLimit, match=words):
        app().task(limits=limits)(send)


def test_a_handler_that_takes_anything_cannot_be_limited_by_an_argument() -> None:
    def send(*tenants: str) -> None: ...

    with pytest.raises(BadLimit, match=r"takes \*args"):
        app().task(limits=[Concurrency(1, by="tenants")])(send)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (None, BadArguments, "give it a value"),
        (["a"], BadArguments, "a text or a whole number"),
        (1.5, BadArguments, "a text or a whole number"),
        ("x" * 201, TooLarge, "too long for a key"),
    ],
)
def test_a_call_whose_key_is_none_is_refused(value: Any, error: type[BadInput], words: str) -> None:
    @app().task(limits=[Concurrency(1, by="tenant")])
    async def send(tenant: Any = None) -> None: ...

    with pytest.raises(error, match=words):
        run_of(send.bind(tenant=value))


def test_keys_that_are_too_long_together_are_refused() -> None:
    @app().task(name="send", limits=[Concurrency(1, by=("a", "b", "c"))])
    async def send(a: str, b: str, c: str) -> None: ...

    with pytest.raises(TooLarge, match="limit key"):
        run_of(send.bind("x" * 190, "y" * 190, "z" * 190))


def test_runs_of_a_schedule_wait_for_the_limits_of_their_task() -> None:
    made = app()

    @made.task(name="send", limits=[Concurrency(1, by="tenant")])
    async def send(tenant: str) -> None: ...

    schedule = made.schedule(send.bind("acme"), every="10s")
    assert msgspec.json.decode(schedule.options, type=Options).gate == 'limit/["send",{"tenant":"acme"}]'
    assert gate_of(schedule) == 'limit/["send",{"tenant":"acme"}]'
    with pytest.raises(BadInput, match="leave out overlap"):
        made.schedule(send.bind("acme"), every="10s", name="two", overlap=Overlap.SKIP)
