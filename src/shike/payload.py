"""What JSON can hold, and what it cannot: refused where a caller gives it, by the path to it.

Dataclasses, msgspec structs and pydantic models are taken as they are. NaN and infinities (also as keys), lone
surrogates, and nests deeper than JSON_DEPTH_MAX are not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from shike.bounds import JSON_DEPTH_MAX
from shike.errors import BadArguments

PATH_CHARS_MAX = 60  # of the path to a fault that an error tells
DOUBTFUL = re.compile(rb'null|"nan"|"-?inf"')  # what msgspec writes for floats that JSON does not have


def to_json(value: Any, what: str) -> bytes:
    """JSON of a value; raises `BadArguments` for what JSON cannot hold. `what` names the value in the error."""
    try:
        payload = _encoder.encode(value)
    except Exception as error:  # a user's own types may raise whatever they like
        raise BadArguments(f"the {what} cannot be written as JSON: {error}") from error
    if len(payload) > JSON_DEPTH_MAX and payload.count(b"[") + payload.count(b"{") > JSON_DEPTH_MAX:
        _refuse_deep(payload, what)
    if b"n" in payload and DOUBTFUL.search(payload):
        _refuse_not_finite(value, what)
    return payload


def _encode_other(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"{type(value).__qualname__} is not a JSON value, dataclass, msgspec struct or pydantic model")


_encoder = msgspec.json.Encoder(enc_hook=_encode_other)


def _refuse_deep(payload: bytes, what: str) -> None:
    way = _way_below(msgspec.json.decode(payload), JSON_DEPTH_MAX)
    if way is not None:
        raise BadArguments(
            f"the {what} are nested more than {JSON_DEPTH_MAX} deep, at {_path(way)}; "
            "flatten them, or send the JSON as one text"
        )


def _refuse_not_finite(value: Any, what: str) -> None:
    way = _way_to_not_finite(msgspec.to_builtins(value, enc_hook=_encode_other))
    if way is not None:
        raise BadArguments(
            f"there is {way[-1]} in the {what}, at {_path(way[:-1])}, which JSON cannot hold: "
            "send a text or leave it out"
        )


def _way_below(value: Any, levels: int) -> list[Any] | None:
    """The keys that lead to the first list or object deeper than so many levels; None: there is none."""
    if not isinstance(value, dict | list):
        return None
    if levels == 0:
        return []
    for key, item in _items(value):
        way = _way_below(item, levels - 1)
        if way is not None:
            return [key, *way]
    return None


def _way_to_not_finite(value: Any) -> list[Any] | None:
    """The keys that lead to the first number that JSON does not have, and the number."""
    if isinstance(value, float):
        return None if math.isfinite(value) else [value]
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return None
    for key, item in _items(value):
        way = _way_to_not_finite(key)
        if way is not None:
            return way
        way = _way_to_not_finite(item)
        if way is not None:
            return [key, *way]
    return None


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _path(keys: list[Any]) -> str:
    path = "".join(f"[{key!r}]" for key in keys) or "the top"
    return path if len(path) <= PATH_CHARS_MAX else f"{path[:PATH_CHARS_MAX]}…"
