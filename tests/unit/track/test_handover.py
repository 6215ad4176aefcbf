"""Results as arguments: they come to where they were promised, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shike.bounds import HANDOVER_BYTES_MAX
from shike.errors import BadArguments, TooLarge
from shike.track import handover
from shike.track.handover import Promised, filled, promised_in, wanted, written

keys = st.sampled_from(["a", "$", "$$", "b"])
plain = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.sampled_from(["$", "$$"])
promised = st.integers(1, 6).map(lambda back: Promised(-back))
values: st.SearchStrategy[Any] = st.recursive(
    plain | promised,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=20,
)


def kept(value: Any) -> Any:
    """What a handler should get: the result of the run n before is the text `n`."""
    if isinstance(value, Promised):
        return f"result {value.node}"
    if isinstance(value, dict):
        return {key: kept(item) for key, item in value.items()}
    return [kept(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.sampled_from(["x", "y"]), values, max_size=2))
def test_results_come_to_where_they_were_promised(named: dict[str, Any]) -> None:
    payload, name = written(named, lambda node: int(node), "arguments")
    distances = wanted(payload, name)
    assert distances == set(promised_in(named))
    results = {distance: msgspec.json.encode(f"result {distance}") for distance in distances}
    assert msgspec.json.decode(filled(payload, name, results)) == kept(named)


def test_results_that_follow_each_other_take_the_room_of_one() -> None:
    payload, name = written({"x": [Promised(-n) for n in range(9_000, 0, -1)]}, lambda node: int(node), "arguments")
    assert payload == b'{"x":[{"$":[-9000,-1]}]}'
    assert len(wanted(payload, name)) == 9_000


def test_a_run_without_a_result_hands_over_nothing() -> None:
    payload, name = written({"x": Promised(-1)}, lambda node: int(node), "arguments")
    assert filled(payload, name, {-1: b""}) == b'{"x":null}'


def test_what_is_handed_over_has_a_bound() -> None:
    payload, name = written({"x": [Promised(-1), Promised(-2)]}, lambda node: int(node), "arguments")
    half = b'"' + b"a" * (HANDOVER_BYTES_MAX // 2) + b'"'
    with pytest.raises(TooLarge, match="results of its parents"):
        filled(payload, name, {-1: half, -2: half})


def test_what_json_cannot_hold_is_refused_beside_a_result_as_elsewhere() -> None:
    for value in (float("nan"), object()):
        with pytest.raises(BadArguments):
            written({"x": [Promised(-1), value]}, lambda node: int(node), "arguments")
    with pytest.raises(BadArguments, match="cannot be read"):
        handover.wanted(b"{", "$")
