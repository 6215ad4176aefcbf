"""Runs and numbers as servers take and give them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from shike.model import Run
from shike.store.rows import pack

# A packed run is an array: its head takes 3 bytes here, and one in the array of what stands before `due_at`.
_HEAD_LONGER: Final = 2
_INT64: Final = b"\xd3"
_ANY_INT64: Final = -(1 << 62)  # any number that msgpack writes in 8 bytes


def pack_open(run: Run) -> tuple[bytes, int]:
    """A run whose `due_at` and `created_at` the server will fill in, and where: it writes 8 bytes of `due_at`, 0xd3 and
    8 bytes of `created_at` from that byte on, counted from 1."""
    before = pack((run.version, run.id, run.task, run.args, run.queue, run.band))
    body = pack(replace(run, due_at=_ANY_INT64, created_at=_ANY_INT64))
    place = len(before) + _HEAD_LONGER
    assert body[place : place + 1] == _INT64 == body[place + 9 : place + 10]
    return body, place + 2


def packed_numbers(kind: str, numbers: Iterable[int]) -> bytes:
    """Numbers side by side, the high byte first, as servers write them: kind `q` in 8 bytes each, `i` in 4."""
    packed = array(kind, numbers)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def unpack_numbers(kind: str, packed: bytes) -> array[int]:
    """What `packed_numbers` made."""
    numbers = array(kind)
    numbers.frombytes(packed)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def unpack_ids(packed: bytes) -> array[int]:
    return unpack_numbers("q", packed)
