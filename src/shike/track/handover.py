"""Results of parents as arguments of their children: how they stand in stored arguments, and are filled in. Pure.

In the JSON of such arguments an object with one single name stands for results: `{"$": -3}` for that of the run three
before this one in its graph, and in a list `{"$": [-9, -3]}` for those of seven. The name, which the run's options
tell, is one that occurs nowhere else in these arguments, so that nobody's data is taken for a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from shike.bounds import HANDOVER_BYTES_MAX
from shike.errors import BadArguments, TooLarge
from shike.payload import to_json


class Promised:
    """What a run of a graph will return, to be given as an argument to another one: `node.result`."""

    __slots__ = ("node",)

    def __init__(self, node: Any) -> None:
        self.node = node

    def model_dump(self, *, mode: str) -> Any:
        """Reached where arguments are written at once."""
        raise BadArguments(f"the result of {self.node!r} is not there yet: add this call to its graph, graph.add(…)")


def promised_in(value: Any) -> list[Any]:
    """The nodes whose results stand somewhere in these arguments, each once."""
    found: dict[int, Any] = {}

    def note(one: Any) -> Any:
        if isinstance(one, Promised):
            found[id(one.node)] = one.node
            return None
        return _dumped(one)

    try:
        msgspec.to_builtins(value, enc_hook=note)
    except Exception:
        return []  # whoever writes them says what is wrong with them
    return list(found.values())


def written(named: Mapping[str, Any], distance_to: Callable[[Any], int], what: str) -> tuple[bytes, str]:
    """Arguments as they are stored, and the name under which results stand in them. Raises `BadArguments`."""
    try:
        bare = msgspec.json.encode(named, enc_hook=lambda one: None if isinstance(one, Promised) else _dumped(one))
    except Exception as error:  # a user's own types may raise whatever they like
        raise BadArguments(f"the {what} cannot be written as JSON: {error}") from error
    name = "$"
    while f'"{name}"'.encode() in bare:
        name += "$"

    def hole(one: Any) -> Any:
        return {name: distance_to(one.node)} if isinstance(one, Promised) else _dumped(one)

    return to_json(_gathered(msgspec.to_builtins(named, enc_hook=hole), name), what), name


def _dumped(one: Any) -> Any:
    dump = getattr(one, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"{type(one).__qualname__} is not a JSON value, dataclass, msgspec struct or pydantic model")


def _gathered(value: Any, name: str) -> Any:
    """Results that follow each other in a list, and in the graph, as one."""
    if isinstance(value, dict):
        return {key: _gathered(item, name) for key, item in value.items()}
    if not isinstance(value, list | tuple):
        return value
    found: list[Any] = []
    for item in value:
        at = _hole(item, name)
        last = _hole(found[-1], name) if at is not None and found else None
        if at is not None and last is not None and at[0] == last[1] + 1:
            found[-1] = {name: [last[0], at[0]]}
        else:
            found.append(item if at is not None else _gathered(item, name))
    return found


def _hole(value: Any, name: str) -> tuple[int, int] | None:
    """From which distance to which results stand here; None: it is no such place."""
    if not isinstance(value, dict) or len(value) != 1 or name not in value:
        return None
    at = value[name]
    return (at[0], at[1]) if isinstance(at, list) else (at, at)


def wanted(payload: bytes, name: str) -> set[int]:
    """The distances of the runs whose results these arguments take. Raises `BadArguments` for what is no JSON."""
    found: set[int] = set()

    def look(value: Any) -> None:
        if (at := _hole(value, name)) is not None:
            found.update(range(at[0], at[1] + 1))
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                look(item)

    look(_decoded(payload))
    return found


def filled(payload: bytes, name: str, results: Mapping[int, bytes]) -> bytes:
    """The arguments with the results in their places; that of a run without any is null. Raises `TooLarge` where they
    are more than HANDOVER_BYTES_MAX together."""
    size = sum(map(len, results.values()))
    if size > HANDOVER_BYTES_MAX:
        raise TooLarge(
            f"the results of its parents are {size:,} bytes, the limit is {HANDOVER_BYTES_MAX:,}: let them store what "
            "they made elsewhere, and return where",
            size=size,
            limit=HANDOVER_BYTES_MAX,
        )

    def put(value: Any) -> Any:
        if (at := _hole(value, name)) is not None:
            return _raw(results, at[0])
        if isinstance(value, dict):
            return {key: put(item) for key, item in value.items()}
        if not isinstance(value, list):
            return value
        items: list[Any] = []
        for item in value:
            at = _hole(item, name)
            items += [put(item)] if at is None else [_raw(results, distance) for distance in range(at[0], at[1] + 1)]
        return items

    return msgspec.json.encode(put(_decoded(payload)))


def _raw(results: Mapping[int, bytes], distance: int) -> msgspec.Raw:
    return msgspec.Raw(results.get(distance) or b"null")


def _decoded(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except ValueError as error:
        raise BadArguments(f"these arguments cannot be read: {error}") from error
