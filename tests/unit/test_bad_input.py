"""What careless callers give is refused where it is given, with an error of ours; nothing is stored."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from shike import Backoff, Shike
from shike.errors import BadArguments, BadInput, BadSetting, BadStoreURL, BadTime, TooLarge

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
        (lambda echo: echo.options(retry="5"), BadInput),
        (lambda echo: echo.options(retry=True), BadInput),
        (lambda echo: echo.options(retry=Backoff(attempts=9, factor=1e300)), BadSetting),
        (lambda echo: echo.options(retry=Backoff(attempts=9, factor=math.nan)), BadSetting),
        (lambda echo: echo.options(on_unknown="perhaps"), BadInput),
        (lambda echo: echo.options(band=True), BadInput),
        (lambda echo: echo.options(keep_result="no"), BadInput),
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


def test_bulk_submits_take_any_iterable_of_calls_and_nothing_else() -> None:
    app, echo = make_app()
    assert len(app.submit_many(echo.bind(n) for n in range(3))) == 3
    with pytest.raises(BadInput):
        app.submit_many([echo.bind(1), echo])


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
