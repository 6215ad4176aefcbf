"""How a timetable is laid out and read: one design, three ways to set it.

| preset | virtual buckets | buckets | slices | read ahead |
|---|---|---|---|---|
| `classic` | 1 | 1 | no | 5 s |
| `simple` | 1 | 1 | no | 1 s |
| `precise` | 64 | 4 … 64 | yes | 5 s |

`classic` is what a relational database serves best: one cursor over one index. `simple` is one sorted set that is
asked for the next second. `precise` cuts the day into minutes and the minutes into buckets, which nodes share and
which split where they are late.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from shike.bounds import READ_AHEAD_SECONDS


class Preset(Struct, frozen=True, kw_only=True):
    """`virtual_buckets` counts only when a store is made; the rest may be another on each start."""

    virtual_buckets: int = 1
    buckets_min: int = 1  # never fewer, also when all is calm
    slices: bool = False  # a read ends with the minute in which it begins, or with the next
    read_ahead_seconds: float = READ_AHEAD_SECONDS


PRESETS: Final[dict[str, Preset]] = {
    "classic": Preset(),
    "simple": Preset(read_ahead_seconds=1.0),
    "precise": Preset(virtual_buckets=64, buckets_min=4, slices=True),
}
CLASSIC: Final = PRESETS["classic"]
