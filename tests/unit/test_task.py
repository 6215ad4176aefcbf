"""Arguments and results on their way through JSON: what fits comes back equal, what does not is refused at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import ARGS_BYTES_MAX, RESULT_BYTES_MAX
from shike.errors import BadArguments, BadInput, TooLarge
from shike.model import Executor
from shike.task import EMPTY, Definition, check_name


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


class Line(msgspec.Struct):
    start: Point
    end: Point | None = None


class Order(pydantic.BaseModel):
    number: int
    items: list[str] = []


def there_and_back(handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    definition = Definition("t", handler)
    return definition.decode(definition.encode(args, kwargs))


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.dictionaries(texts, json_values, max_size=3))
def test_any_json_value_comes_back_as_it_was(one: Any, other: dict[str, Any]) -> None:
    def handler(one: Any, /, middle: int = 7, *, other: dict[str, Any]) -> None: ...

    assert there_and_back(handler, one, other=other) == ((one, 7), {"other": other})


@given(st.lists(json_values, max_size=4), st.dictionaries(st.sampled_from("abc"), json_values))
def test_handlers_that_take_anything_get_it_as_it_was_given(args: list[Any], kwargs: dict[str, Any]) -> None:
    def handler(*args: Any, **kwargs: Any) -> None: ...

    assert there_and_back(handler, *args, **kwargs) == (tuple(args), kwargs)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Point, Point(1, 2.5)),
        (Line, Line(Point(1), Point(2, 3.0))),
        (Order, Order(number=7, items=["tea"])),
        (list[Point], [Point(1), Point(2)]),
        (dict[str, Order], {"a": Order(number=1)}),
        (Order | None, None),
        (Colour, Colour.BLUE),
        (datetime, datetime(2026, 5, 1, 12, 30, tzinfo=UTC)),
        (date, date(2026, 5, 1)),
        (timedelta, timedelta(minutes=90)),
        (Decimal, Decimal("1.10")),
        (UUID, UUID(int=7)),
        (bytes, b"\x00\xff"),
        (tuple[int, str], (1, "a")),
        (set[int], {1, 2}),
    ],
    ids=repr,
)
def test_typed_values_come_back_as_what_they_were(annotation: Any, value: Any) -> None:
    def handler(value: Any) -> Any: ...

    handler.__annotations__ = {"value": annotation, "return": annotation}
    (found,), _ = there_and_back(handler, value)
    assert found == value and type(found) is type(value)
    definition = Definition("t", handler)
    result = definition.decode_result(definition.encode_result(value))
    assert result == value and type(result) is type(value)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (("x",), {}),
        ((1.5,), {}),
        ((1, 2, 3), {}),
        ((1,), {"colour": 1}),
        ((1,), {"n": 2}),
        ((None,), {}),
        ((object(),), {}),
        ((float("nan"),), {}),
    ],
)
def test_arguments_that_do_not_fit_are_refused_where_they_are_given(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    def handler(n: int, who: str = "") -> None: ...

    with pytest.raises(BadArguments, match="'t'"):
        Definition("t", handler).encode(args, kwargs)


@given(st.sampled_from([float("nan"), float("inf"), float("-inf")]), st.integers(0, 3))
def test_no_number_that_json_cannot_hold_slips_through_however_deep(number: float, depth: int) -> None:
    def handler(value: Any) -> None: ...

    value: Any = Point(1, number)
    for _ in range(depth):
        value = {"in": [value, None]}
    with pytest.raises(BadArguments):
        Definition("t", handler).encode((value,), {})


def test_too_much_is_refused_with_its_size_and_the_limit() -> None:
    def handler(text: str) -> None: ...

    definition = Definition("t", handler)
    assert definition.encode(("x" * (ARGS_BYTES_MAX - 20),), {})
    with pytest.raises(TooLarge) as told:
        definition.encode(("x" * ARGS_BYTES_MAX,), {})
    assert told.value.limit == ARGS_BYTES_MAX < told.value.size
    with pytest.raises(TooLarge):
        definition.encode_result("x" * RESULT_BYTES_MAX)


def test_a_call_without_arguments_costs_nothing() -> None:
    def handler(n: int = 5) -> None: ...

    assert Definition("t", handler).encode((), {}) == EMPTY
    assert Definition("t", handler).decode(EMPTY) == ((), {}), "the handler's own defaults hold, also newer ones"


def test_a_newer_signature_reads_what_an_older_one_wrote() -> None:
    def old(n: int) -> None: ...

    def new(n: int, who: str = "nobody") -> None: ...

    def newer(who: str = "nobody") -> None: ...

    payload = Definition("t", old).encode((5,), {})
    assert Definition("t", new).decode(payload) == ((5, "nobody"), {})
    with pytest.raises(BadArguments, match="'t'"):
        Definition("t", newer).decode(payload)


def test_annotations_that_exist_only_for_the_type_checker_do_not_matter() -> None:
    def handler(one: Nowhere) -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821

    assert there_and_back(handler, {"a": 1}) == (({"a": 1},), {})


def test_a_result_that_is_not_what_was_announced_is_a_typed_error() -> None:
    def handler() -> int:
        raise NotImplementedError

    definition = Definition("t", handler)
    with pytest.raises(BadArguments, match="'t'"):
        definition.decode_result(definition.encode_result("not a number"))


def test_the_natural_executor_follows_from_the_handler() -> None:
    async def later() -> None: ...

    def now() -> None: ...

    assert Definition("t", later).executor is Executor.ASYNC
    assert Definition("t", now).executor is Executor.THREAD
    assert Definition("t", None, argv=("ls",)).executor is Executor.COMMAND
    with pytest.raises(BadInput, match="async def"):
        Definition("t", now, executor=Executor.ASYNC)


@pytest.mark.parametrize("name", ["", "a b", "a\n", "\ud800", "x" * 201, "tab\t", 5, None])
def test_names_are_short_printable_and_without_spaces(name: Any) -> None:
    with pytest.raises(BadInput):
        check_name("task", name)


@pytest.mark.parametrize("name", ["send", "mail.send", "报告", "a/b", "x" * 200])
def test_names_may_be_in_any_script(name: str) -> None:
    check_name("task", name)


def test_no_bytes_at_all_are_no_arguments() -> None:
    assert Definition("t", lambda: None).decode(b"") == ((), {})


def test_arguments_are_named_in_the_order_of_the_signature_however_they_are_given() -> None:
    def handler(a: int, b: int = 2, *, c: int = 3) -> None: ...

    definition = Definition("named", handler)
    assert definition.encode((1,), {"c": 5}) == b'{"a":1,"c":5}'
    assert definition.encode((), {"c": 5, "b": 4, "a": 1}) == b'{"a":1,"b":4,"c":5}'
    for args, kwargs in (((1, 2, 3), {}), ((1,), {"a": 1}), ((), {"b": 1}), ((1,), {"d": 1}), ((), {})):
        with pytest.raises(BadArguments, match="cannot be called so"):
            definition.encode(args, kwargs)


def test_a_name_that_no_parameter_has_is_refused_also_where_all_are_optional() -> None:
    def handler(a: int = 1, *, b: int = 2) -> None: ...

    definition = Definition("optional", handler)
    assert definition.encode((), {"b": 3}) == b'{"b":3}'
    for args, kwargs in (((), {"c": 1}), ((1,), {"a": 1}), ((), {"b": 1, "c": 1})):
        with pytest.raises(BadArguments, match="cannot be called so"):
            definition.encode(args, kwargs)


def test_a_parameter_by_position_alone_is_not_given_by_name() -> None:
    def handler(a: int, /, b: int) -> None: ...

    definition = Definition("positional", handler)
    assert definition.encode((1,), {"b": 2}) == b'{"a":1,"b":2}'
    with pytest.raises(BadArguments, match=r"positional.only"):
        definition.encode((), {"a": 1, "b": 2})
