"""What careless callers give is refused where it is given, with an error of ours; nothing is stored."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike import Backoff, Shike
from shike.errors import BadArguments, BadInput, BadSetting, BadStoreURL, BadTime, ShikeError, TooLarge

HALF_A_SIGN = "\ud800"


def make_app() -> tuple[Shike, Any]:
    app = Shike("memory://")

    @app.task(name="echo")
    async def echo(x: Any = None) -> Any:
        return x

    return app, echo


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        (lambda echo: echo.in_(10**400), BadTime),
        (lambda echo: echo.in_(10**5000), BadTime),
        (lambda echo: echo.in_(1e308), BadTime),
        (lambda echo: echo.in_(-1e308), BadTime),
        (lambda echo: echo.at(datetime.min.replace(tzinfo=timezone(timedelta(hours=23)))), BadTime),
        (lambda echo: echo.at(datetime.max.replace(tzinfo=timezone(-timedelta(hours=23)))), BadTime),
        (lambda echo: echo.at(datetime(1970, 1, 1, tzinfo=UTC)), BadTime),
        (lambda echo: echo.at(datetime(2026, 1, 1)), BadTime),
        (lambda echo: echo.options(retry=Backoff(attempts="5")), BadSetting),  # type: ignore[arg-type]
        (lambda echo: echo.options(retry="5"), BadInput),
        (lambda echo: echo.options(retry=True), BadInput),
        (lambda echo: echo.options(retry=Backoff(attempts=9, factor=1e300)), BadSetting),
        (lambda echo: echo.options(retry=Backoff(attempts=9, factor=math.nan)), BadSetting),
        (lambda echo: echo.options(on_unknown="perhaps"), BadInput),
        (lambda echo: echo.options(band=True), BadInput),
        (lambda echo: echo.options(keep_result="no"), BadInput),
        (lambda echo: echo.options(key="a\0b"), BadInput),
        (lambda echo: echo.options(owner=HALF_A_SIGN), BadInput),
        (lambda echo: echo.options(owner="x" * 1000), TooLarge),
        (lambda echo: echo.options(owner=5), BadInput),
        (lambda echo: echo.options(queue="mail:5"), BadInput),
        (lambda echo: echo.options(queue="mail,bulk"), BadInput),
        (lambda echo: echo.handle("9" * 30), BadInput),
        (lambda echo: echo.handle(5), BadInput),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_it_is_submitted(
    wish: Callable[[Any], object], kind: type[BadInput]
) -> None:
    _, echo = make_app()
    with pytest.raises(kind):
        wish(echo)


@pytest.mark.parametrize(
    "settings",
    [
        {"executor": "rocket"},
        {"on_unknown": "perhaps"},
        {"owner": HALF_A_SIGN},
        {"keep_result": "no"},
        {"retry": "often"},
        {"queue": "mail:5"},
        {"retries": 5},
    ],
)
def test_a_task_with_a_setting_of_the_wrong_kind_is_refused_where_it_is_defined(settings: dict[str, Any]) -> None:
    app, _ = make_app()
    with pytest.raises(BadInput):
        app.task(name="other", **settings)(lambda: None)
    assert list(app.tasks) == ["echo"]


def test_what_would_run_nothing_is_no_handler() -> None:
    app, _ = make_app()

    def yields() -> Any:
        yield 1

    async def yields_later() -> Any:
        yield 1

    careless: list[Any] = [yields, yields_later, 5]
    for handler in careless:
        with pytest.raises(BadInput):
            app.task(name="other")(handler)


@pytest.mark.parametrize("argv", ["ls -l", ["a\0b"], [HALF_A_SIGN], [], [5]])
def test_an_argv_is_a_list_of_texts_that_a_program_can_be_given(argv: Any) -> None:
    app, _ = make_app()
    with pytest.raises(BadInput):
        app.command("list", argv)


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite:///a%00b.db", f"sqlite:///{HALF_A_SIGN}.db"])
def test_a_url_that_cannot_be_a_file_is_refused(url: str) -> None:
    app = Shike(url)
    with pytest.raises(BadStoreURL):
        app.open()


def test_a_task_is_not_registered_again_and_is_told_what_to_do_instead() -> None:
    app, echo = make_app()
    for careless in (lambda: app.task(echo), lambda: app.task(name="again")(echo)):
        with pytest.raises(BadInput, match=r"<task echo> is a task already; .*options.*task\.function"):
            careless()
    assert app.task(name="again")(echo.function).name == "again"


def test_a_callable_without_a_name_asks_for_one() -> None:
    app, echo = make_app()
    with pytest.raises(BadInput, match=r"no name of its own; give it one: app\.task\(name="):
        app.task(partial(echo.function, 1))
    assert app.task(name="one")(partial(echo.function, 1)).name == "one"


def test_bulk_submits_take_any_iterable_of_calls_and_nothing_else() -> None:
    app, echo = make_app()
    assert len(app.submit_many(echo.bind(n) for n in range(3))) == 3
    careless: list[Any] = [[echo.bind(1), echo], 5, None, "calls"]
    for calls in careless:
        with pytest.raises(BadInput):
            app.submit_many(calls)
    with pytest.raises(BadInput, match="takes a list of calls"):
        app.submit_many(echo.bind(1))


def test_waiting_in_the_loop_that_has_to_do_the_work_is_refused_instead_of_hanging() -> None:
    app, echo = make_app()

    async def careless() -> None:
        async with app.running():
            handle = await echo.submit(1)
            with pytest.raises(BadInput, match="await"):
                handle.result("5s")
            assert await handle.wait("5s") == 1

    asyncio.run(careless())


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": [{"b": -math.inf}]}, HALF_A_SIGN, {HALF_A_SIGN: 1}, 1j])
def test_what_json_cannot_hold_is_refused_at_submit(value: Any) -> None:
    _, echo = make_app()
    with pytest.raises(BadArguments):
        echo.submit(value)


@pytest.mark.parametrize(
    "wish",
    [
        {"cron": 5},
        {"cron": ["* * * * *"]},
        {"cron": "* * * * *", "tz": ""},
        {"cron": "* * * * *", "tz": {1, 2}},
        {"cron": "* * * * *", "tz": ["UTC"]},
        {"trigger": object()},
        {"every": "5m", "cron": "* * * * *"},
        {"cron": "* * * * *", "initial_delay": "5m"},
        *({"every": "5m", word: value} for word in ("overlap_max", "count") for value in (-1, 1.5, "2", True, 10**30)),
    ],
)
def test_a_schedule_that_no_store_could_read_again_is_refused(wish: dict[str, Any]) -> None:
    app, echo = make_app()
    with pytest.raises(BadInput):
        app.schedule(echo, **wish)
    assert app.schedules == []


def test_only_tasks_and_their_calls_can_be_scheduled() -> None:
    app, _ = make_app()
    careless: list[Any] = ["echo", print, None]
    for what in careless:
        with pytest.raises(BadInput):
            app.schedule(what, every="5m")


def test_runs_of_a_schedule_expire_as_their_task_says() -> None:
    app, echo = make_app()

    @app.task(name="soon", expires="30s")
    async def soon() -> None: ...

    assert app.schedule(soon, every="5m").expires_seconds == 30
    assert app.schedule(soon, every="5m", name="later", expires="1m").expires_seconds == 60
    assert app.schedule(echo.options(expires="10s"), every="5m").expires_seconds == 10


anything = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    st.sampled_from(
        [2**63, -(2**63), 10**30, 10**400, 1e308, "", "a\0b", "a\nb", "\ud800", "x" * 1_000, "-5m", "1e9s"]
    ),
    st.datetimes() | st.datetimes(timezones=st.timezones()) | st.timedeltas() | st.decimals() | st.complex_numbers(),
    st.sampled_from([datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), timedelta.max, timedelta.min]),
    st.sampled_from([object(), print, [1], {}, {1, 2}, {math.nan: 1}, b"x" * 1_000_000]),
    st.builds(Backoff, attempts=st.integers() | st.text(max_size=2), factor=st.floats()),
)
options = st.sampled_from(
    ["key", "queue", "band", "expires", "retry", "timeout", "on_unknown", "keep_result", "owner"]
)  # fmt: skip
wishes = st.sampled_from(
    [
        "misfire",
        "misfire_grace",
        "misfire_window",
        "overlap",
        "overlap_max",
        "jitter",
        "start",
        "end",
        "count",
        "expires",
    ]
)


@given(anything, options, wishes)
def test_whatever_is_given_is_taken_or_refused_with_an_error_of_ours(value: Any, option: str, wish: str) -> None:
    app, echo = make_app()
    attempts: list[Callable[[], object]] = [
        lambda: echo.submit(value),
        lambda: echo.at(value).submit(),
        lambda: echo.in_(value).submit(),
        lambda: echo.options(**{option: value}).submit(),
        lambda: app.schedule(echo, every="5m", name="a", **{wish: value}),
        lambda: app.schedule(echo, cron="0 9 * * *", name="b", tz=value),
        lambda: app.schedule(echo, every=value, name="c"),
        lambda: app.schedule(echo, cron=value, name="d"),
        lambda: app.schedule(echo, at=value, name="e"),
        lambda: app.schedule(echo, every="5m", name=value),
    ]
    for attempt in attempts:
        with suppress(ShikeError):
            attempt()
    app.client.close_sync()
