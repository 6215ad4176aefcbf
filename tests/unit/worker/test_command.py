"""Placeholders in an argv: each argument stays one element, and what does not fit is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.app import Shike
from shike.errors import BadArguments
from shike.model import Executor, Run
from shike.task import Definition
from shike.worker.command import Command, check_argv, command_of, environment, fill, takes
from tests.unit.worker.calls import call, context


def backup(db: str, level: int = 3) -> None: ...


def test_arguments_fill_the_placeholders_by_name_with_defaults() -> None:
    work = call(backup, "shop", executor=Executor.COMMAND, argv=("dump", "--db={db}", "-l", "{level}"))
    assert command_of(work).argv == ("dump", "--db=shop", "-l", "3")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_value_stays_one_element_as_it_is_whatever_signs_it_holds(value: str) -> None:
    work = call(backup, value, executor=Executor.COMMAND, argv=("dump", "{db}", "end"))
    assert command_of(work).argv == ("dump", value, "end")


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert fill("{a}{b}", {"a": "{b}", "b": "{a}"}) == "{b}{a}"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.5, "1.5"), (True, "true"), ([1, "a"], '[1,"a"]'), (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z")],
)
def test_values_that_are_no_strings_are_written_as_json_writes_them(value: Any, text: str) -> None:
    assert fill("{v}", {"v": value}) == text


@pytest.mark.parametrize("part", ["{{.Names}}", "{print $1}", "{}", "{", "a}b", "${HOME:-/}", "{0:>3}"])
def test_braces_that_hold_no_name_are_left_alone(part: str) -> None:
    assert fill(part, {}) == part


def test_doubled_braces_stand_for_a_name_in_braces() -> None:
    assert fill("{{db}} of {db}", {"db": "shop"}) == "{db} of shop"


def test_no_placeholder_reaches_into_an_object() -> None:
    assert fill("{a.__class__}{a[0]}", {"a": "x"}) == "{a.__class__}{a[0]}"


@pytest.mark.parametrize(("value", "words"), [(None, "is None"), ("a\0b", "NUL"), (float("nan"), "nan")])
def test_a_value_that_no_command_line_can_hold_is_refused(value: Any, words: str) -> None:
    with pytest.raises(BadArguments, match=words):
        fill("{v}", {"v": value})


def test_an_unknown_placeholder_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(BadArguments, match=r"'server'.*\(db, level\)"):
        check_argv(Definition("dump", backup, argv=("dump", "{db}", "{server}")))
    with pytest.raises(BadArguments, match="it has none"):
        check_argv(Definition("dump", None, argv=("dump", "{db}")))
    check_argv(Definition("dump", backup, argv=("dump", "{db}", "{level}")))


def test_a_handler_that_takes_any_name_fills_any_placeholder() -> None:
    def named(**arguments: str) -> None: ...

    work = call(named, db="shop", executor=Executor.COMMAND, argv=("dump", "{db}"))
    assert command_of(work).argv == ("dump", "shop")
    check_argv(work.definition)


def test_an_argv_alone_says_which_arguments_a_call_must_have() -> None:
    argv = ("dump", "{db}", "--at={place}/{db}", "{{literal}}", "{0}")
    dump = Definition("dump", takes(argv), argv=argv)
    check_argv(dump)
    args, kwargs = dump.decode(dump.encode((), {"db": "shop", "place": 7}))
    assert (args, kwargs) == ((), {"db": "shop", "place": 7})
    for wrong in ({"db": "shop"}, {"db": "shop", "place": "x", "level": 3}):
        with pytest.raises(BadArguments):
            dump.encode((), wrong)
    with pytest.raises(BadArguments):
        dump.encode(("shop", "x"), {})


def test_a_call_that_names_other_arguments_than_the_argv_is_refused_when_it_is_submitted() -> None:
    dump = Shike("memory://").command("dump", ["pg_dump", "--", "{db}"])
    assert dump.bind(db="shop").payload == b'{"db":"shop"}'
    for wrong in ({}, {"dp": "shop"}, {"db": "shop", "level": 3}):
        with pytest.raises(BadArguments):
            dump.bind(**wrong)
    with pytest.raises(BadArguments):
        dump.bind("shop")


def test_a_handler_may_put_the_command_together() -> None:
    def line(text: str) -> Command:
        return Command(argv=("/bin/sh", "-c", text), env={"LANG": "C"}, stdin_text="in")

    work = call(line, "a && b", executor=Executor.COMMAND)
    assert command_of(work) == Command(argv=("/bin/sh", "-c", "a && b"), env={"LANG": "C"}, stdin_text="in")


@pytest.mark.parametrize("handler", [None, lambda: "rm -rf /", lambda: Command(argv=())])
def test_anything_else_than_a_command_is_refused(handler: Any) -> None:
    with pytest.raises(BadArguments, match="needs an argv"):
        command_of(call(handler, executor=Executor.COMMAND))


def test_a_program_learns_its_run_but_none_of_the_workers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKE_STORE_URL", "postgresql://user:secret@db")
    monkeypatch.setenv("OTHER", "kept")
    told = environment(Command(argv=("x",), env={"LANG": "C", "SHIKE_RUN_ID": "forged"}), context())
    assert {name: value for name, value in told.items() if name.startswith("SHIKE_")} == {
        "SHIKE_RUN_ID": "77",
        "SHIKE_TOKEN": "5",
        "SHIKE_ATTEMPT": "2",
        "SHIKE_MOMENT": "2026-01-01T00:00:00+00:00",
        "SHIKE_IDEMPOTENCY_KEY": "ops/nightly@1767225600000000",
    }
    assert (told["OTHER"], told["LANG"]) == ("kept", "C")


def test_a_run_without_a_schedule_has_an_empty_moment_and_its_own_key() -> None:
    told = environment(Command(argv=("x",)), context(Run(version=1, id=9, task="t", key="order-4")))
    assert (told["SHIKE_MOMENT"], told["SHIKE_IDEMPOTENCY_KEY"]) == ("", "order-4#9")
