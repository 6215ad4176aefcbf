"""A failure taken apart: chain, frames, fingerprint. Bounded, and never raising."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shike.attempts import Failure
from shike.bounds import FAULT_CHARS_MAX, FAULTS_MAX, FRAMES_MAX
from shike.demo import day
from shike.track.failures import failure_of, failure_of_text, is_own
from tests.unit.track import failing


def raised(work: Callable[[], Any]) -> BaseException:
    try:
        work()
    except BaseException as error:
        return error
    raise AssertionError("it did not raise")


def test_the_chain_is_what_python_prints() -> None:
    failure = failure_of(raised(failing.from_another))
    assert [(fault.kind, fault.message, fault.link) for fault in failure.chain] == [
        ("RuntimeError", "no order 7", ""),
        ("KeyError", "7", "cause"),
    ]
    while_handling = failure_of(raised(failing.while_handling))
    assert [fault.link for fault in while_handling.chain] == ["", "context"]
    assert len(failure_of(raised(failing.suppressed)).chain) == 1


def test_a_frame_names_file_line_function_and_source() -> None:
    frame = failure_of(raised(lambda: failing.order(7))).chain[0].frames[-1]
    assert frame.file.endswith("failing.py") and frame.function == "order" and frame.own
    assert frame.source == 'raise ValueError(f"order {number} is broken")' and frame.line > 1


def test_the_fingerprint_knows_kind_and_place_and_nothing_else() -> None:
    of = [failure_of(raised(work)).fingerprint for work in (lambda: failing.order(1), lambda: failing.order(2))]
    assert of[0] == of[1]
    other_place = failure_of(raised(lambda: failing.other_order(1))).fingerprint
    other_kind = failure_of(raised(lambda: failing.order(-1))).fingerprint
    assert len({of[0], other_place, other_kind}) == 3


def test_the_fingerprint_survives_an_edit_above_the_place() -> None:
    found = set()
    for before in ("", "# a comment\n\n"):
        code = f"{before}def work():\n    raise OSError('x')\n"
        module: dict[str, Any] = {}
        exec(compile(code, "/srv/shop/work.py", "exec"), module)  # noqa: S102
        found.add(failure_of(raised(module["work"])).fingerprint)
    assert len(found) == 1


def test_text_alone_is_grouped_without_its_numbers() -> None:
    one, two = (failure_of_text(f"shop.Sold: seat {number} of 'G{number}'") for number in (7, 8))
    assert one.fingerprint == two.fingerprint and one.chain[0].kind == "shop.Sold"
    assert failure_of_text("lost: no beat for 10 s").chain[0].message == "no beat for 10 s"
    assert failure_of_text("the handler asked: again").chain[0].kind == ""
    assert failure_of_text("").chain[0].message == ""


def test_deep_and_long_failures_are_bounded() -> None:
    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        raise ValueError("x" * 50_000)

    (fault,) = failure_of(raised(lambda: deep(200))).chain
    assert len(fault.frames) == FRAMES_MAX and len(fault.message) == FAULT_CHARS_MAX
    error: BaseException = ValueError("first")
    for number in range(20):
        later = ValueError(str(number))
        later.__cause__ = error
        error = later
    assert len(failure_of(error).chain) == FAULTS_MAX
    error.__cause__ = error
    assert len(failure_of(error).chain) == 1
    assert len(msgspec.msgpack.encode(failure_of(raised(lambda: deep(200))))) < 16_384


def test_exceptions_that_cannot_be_printed_are_told_all_the_same() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    (fault,) = failure_of(raised(lambda: failing.throw(Broken()))).chain
    assert "Broken" in fault.kind and "RuntimeError" in fault.message


@given(st.text(max_size=50))
def test_any_message_can_be_stored(text: str) -> None:
    failure = failure_of(raised(lambda: failing.throw(ValueError(text + "\0\ud800"))))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(failure), type=Failure) == failure
    assert "\0" not in failure.chain[0].message
    assert failure_of_text(text).fingerprint == failure_of_text(text).fingerprint


def test_libraries_and_python_are_not_the_users_own() -> None:
    assert is_own("/srv/shop/work.py") and is_own(day.__file__)
    assert not any(map(is_own, (msgspec.__file__, st.__file__, "<string>", failure_of.__code__.co_filename)))
