"""What JSON cannot hold is refused with the path to it, wherever it hides."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import JSON_DEPTH_MAX
from shike.errors import BadArguments
from shike.payload import to_json
from shike.task import Definition


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float


def nested(levels: int, *, of: Any = 0) -> Any:
    """So many lists and objects around a value, in turn."""
    for level in range(levels):
        of = [of] if level % 2 else {"in": of}
    return of


@given(st.integers(0, JSON_DEPTH_MAX))
def test_what_is_nested_no_deeper_than_the_bound_comes_back(levels: int) -> None:
    value = nested(levels)
    assert msgspec.json.decode(to_json(value, "value")) == value


@given(st.integers(JSON_DEPTH_MAX + 1, 900), st.integers(0, 3))
def test_what_is_nested_deeper_is_refused_wherever_it_stands(levels: int, place: int) -> None:
    value: list[Any] = [0, 1, 2]
    value.insert(place, nested(levels - 1))
    with pytest.raises(BadArguments, match=rf"deep, at \[{place}\]"):
        to_json(value, "value")


@pytest.mark.parametrize("levels", [900, 100_000])
def test_a_task_refuses_arguments_and_results_that_are_nested_without_end(levels: int) -> None:
    def handler(tree: Any) -> Any: ...

    with pytest.raises(BadArguments, match="'t'"):
        Definition("t", handler).encode((nested(levels),), {})
    with pytest.raises(BadArguments, match="'t'"):
        Definition("t", handler).encode_result(nested(levels))


def test_many_values_beside_each_other_are_not_deep() -> None:
    value = [[n] for n in range(10 * JSON_DEPTH_MAX)] + ["[" * 10 * JSON_DEPTH_MAX]
    assert msgspec.json.decode(to_json(value, "value")) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("around", [lambda n: {n: 1}, lambda n: [None, {"a": {n: []}}], lambda n: {"a": [Point(n)]}])
def test_a_number_that_json_lacks_is_refused_also_as_a_key(number: float, around: Any) -> None:
    with pytest.raises(BadArguments, match="JSON cannot"):
        to_json(around(number), "value")


def test_an_error_says_where_the_number_is() -> None:
    with pytest.raises(BadArguments, match=r"nan in the value, at \['points'\]\[1\]\['x'\],"):
        to_json({"points": [Point(1.0), Point(math.nan)]}, "value")


def test_words_that_look_like_such_numbers_are_just_words() -> None:
    value = {"nan": ["inf", None, "-inf"], "1.5": "null"}
    assert msgspec.json.decode(to_json(value, "value")) == value


@pytest.mark.parametrize("value", [{"\ud800": 1}, [{"a": {"\udfff": None}}], "\ud800"])
def test_half_a_sign_is_refused_also_as_a_key(value: Any) -> None:
    with pytest.raises(BadArguments):
        to_json(value, "value")


def test_a_member_of_an_enum_beside_a_null_is_no_trouble() -> None:
    assert to_json([Colour.RED, None], "value") == b'["red",null]'


def test_a_type_that_raises_what_it_likes_is_a_typed_error() -> None:
    class Moody:
        def model_dump(self, mode: str) -> Any:
            raise RuntimeError("not today")

    with pytest.raises(BadArguments, match="not today"):
        to_json(Moody(), "value")
