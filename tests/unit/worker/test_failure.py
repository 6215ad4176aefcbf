"""A failure as text, whatever was raised."""

from __future__ import annotations

import asyncio

import pytest

from shike.bounds import ERROR_CHARS_MAX
from shike.errors import CommandFailed
from shike.worker.executor import HandlerFailed
from shike.worker.failure import as_exception, describe


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_failure_names_type_message_and_the_line() -> None:
    failure = describe(raised(LookupError("no such customer")))
    assert failure.error == "LookupError: no such customer"
    assert "raise error" in failure.traceback


def test_of_a_long_failure_the_start_of_the_message_and_the_end_of_the_trace_are_kept() -> None:
    failure = describe(raised(ValueError("a" + "x" * 50_000 + "z")))
    assert (len(failure.error), len(failure.traceback)) == (ERROR_CHARS_MAX, ERROR_CHARS_MAX)
    assert failure.error.startswith("ValueError: ax")
    assert failure.traceback.rstrip().endswith("z")


def test_of_a_program_what_it_printed_is_kept_and_none_of_our_frames() -> None:
    error = CommandFailed("backup ended with exit status 3: full", status=3, stdout="three files\n", stderr="full\n")
    failure = describe(raised(error))
    assert failure.traceback == "three files\nfull\nbackup ended with exit status 3: full"
    long = describe(CommandFailed("it failed", status=1, stdout="x" * 50_000, stderr="why\n"))
    assert len(long.traceback) == ERROR_CHARS_MAX and long.traceback.endswith("x\nwhy\nit failed")


def test_half_a_sign_in_a_message_can_be_written_down() -> None:
    assert describe(ValueError("a\ud800b")).error.encode() == b"ValueError: a\\ud800b"


def test_a_message_with_nul_can_be_stored_on_every_server() -> None:
    """PostgreSQL's texts cannot hold it: the run would be dead, its tries left unused and its error unknown."""
    failure = describe(raised(ValueError("a\0b")))
    assert failure.error == "ValueError: a\\x00b"
    assert "\0" not in failure.traceback


def test_an_error_that_cannot_be_printed_is_still_told() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not even this")

    assert "Broken" in describe(raised(Broken())).error


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "y"), HandlerFailed("e", "t")])
def test_an_ordinary_error_stays_itself(error: Exception) -> None:
    assert as_exception(error) is error


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration()])
def test_an_error_that_would_upset_the_event_loop_becomes_text(error: BaseException) -> None:
    replaced = as_exception(raised(error))
    assert isinstance(replaced, HandlerFailed)
    assert type(error).__name__ in replaced.error
