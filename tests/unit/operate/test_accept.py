"""From what a program sends to the call it means: of tasks that this process knows, and of others."""

from __future__ import annotations

import pytest

from shike import Shike
from shike.bounds import ARGS_BYTES_MAX
from shike.errors import BadArguments, BadInput, TooLarge
from shike.model import Backoff
from shike.operate.accept import Tasks, Wish, call_of


def shop() -> Shike:
    app = Shike("memory://")

    @app.task(name="pay", queue="money", retry=4)
    def pay(order: int, note: str = "") -> None: ...

    return app


def test_a_known_task_checks_its_arguments_and_brings_its_defaults() -> None:
    tasks = Tasks(shop())
    call = call_of(tasks.find("pay"), b'{"order": 7}', Wish(band=1))
    assert (call.payload, call.definition.queue, call.how.band) == (b'{"order":7}', "money", 1)
    for arguments in (b"{}", b'{"order": "x"}', b'{"order": 1, "more": 2}'):
        with pytest.raises(BadArguments):
            call_of(tasks.find("pay"), arguments, Wish())


def test_a_strange_task_takes_any_object_as_it_is() -> None:
    tasks = Tasks(shop())
    assert tasks.knows("pay") and not tasks.knows("resize")
    call = call_of(tasks.find("resize"), b'{"b": 1, "a": [2]}', Wish(key="k", retry=3, queue="images"))
    assert call.payload == b'{"b": 1, "a": [2]}' and call.definition.handler is None
    assert (call.how.key, call.how.retry, call.how.queue) == ("k", Backoff(attempts=3), "images")
    assert tasks.find("resize") is tasks.find("resize"), "its name is checked once"


def test_what_cannot_be_a_call_is_refused() -> None:
    tasks = Tasks(None)
    with pytest.raises(TooLarge):
        call_of(tasks.find("resize"), b'{"a":"' + b"x" * ARGS_BYTES_MAX + b'"}', Wish())
    for wish in (Wish(band=9), Wish(queue="a:b"), Wish(retry=0), Wish(delay_seconds=-1.0), Wish(expires="soon")):
        with pytest.raises(BadInput):
            call_of(tasks.find("resize"), b"{}", wish)
    with pytest.raises(BadInput):
        tasks.find("no task")


def test_the_part_of_a_name_that_the_command_line_takes_is_not_guessed_for_programs() -> None:
    app = Shike("memory://")

    @app.task(name="shop.pay")
    def pay() -> None: ...

    assert Tasks(app).find("pay").definition.handler is None
