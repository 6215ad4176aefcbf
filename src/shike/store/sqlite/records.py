"""Lists of numbers and texts, as SQLite's functions take and give them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import msgspec

_decode_numbers = msgspec.json.Decoder(list[int]).decode


def numbers(listed: str | None) -> list[int]:
    """`group_concat` of integers."""
    return _decode_numbers(f"[{listed}]") if listed else []


def listed(ids: Iterable[int]) -> str:
    """Integers as a JSON array, for `json_each`."""
    return f"[{','.join(map(str, ids))}]"


def listed_names(names: list[str]) -> str:
    """Texts as a JSON array, for `json_each`."""
    return msgspec.json.encode(names).decode()


def unpack_ids(packed: bytes) -> array[int]:
    ids = array("q")
    ids.frombytes(packed)
    return ids
