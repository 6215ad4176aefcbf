"""The offsets of a time zone as spans of plain integers, so that the hot path touches no datetime.

A zone's history is read through `zoneinfo` one chunk of 97 days at a time: the offset is probed every second
day and each change is found to the second by halving. In tz data since 1970 two changes of one zone are never
closer than six days, so no change hides between two probes; a test checks that over all zones.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from shike.clock import EPOCH, MICROS, WALL_MAX
from shike.errors import ZoneError

_CHUNK_BITS = 23
_CHUNK = 1 << _CHUNK_BITS
_PROBE = 2 * 86_400
_SECOND_MAX = WALL_MAX // MICROS
_CHUNKS_KEPT = 1024
_FOREVER = 1 << 62
_HERE_ONLY = ("localtime", "posixrules", "Factory")  # files of the tz database that differ from machine to machine
_OTHER_TREES = ("posix", "right")  # copies of it that not every machine has; `right` counts leap seconds


class Span(NamedTuple):
    """A stretch of constant offset; all in seconds, `start` and `end` (exclusive) in UTC.

    `gap`: so many seconds of wall clock were jumped over at `start`. `repeat`: for so many seconds from
    `start` the wall clock shows times that it has shown before.
    """

    start: int
    end: int
    offset: int
    gap: int
    repeat: int


class Zone:
    """A time zone as spans. Immutable to the eye; the spans read so far are kept."""

    __slots__ = ("_chunks", "_tz", "name")

    def __init__(self, name: str, tz: tzinfo | None) -> None:
        self.name = name
        self._tz = tz
        self._chunks: dict[int, tuple[tuple[int, ...], tuple[Span, ...]]] = {}

    def span(self, second: int) -> Span:
        """The span that holds this UTC second. Cut at chunk borders: the next one may have the same offset."""
        key = second >> _CHUNK_BITS
        chunk = self._chunks.get(key)
        if chunk is None:
            chunk = self._read(key)
        starts, spans = chunk
        return spans[0] if len(spans) == 1 else spans[bisect_right(starts, second) - 1]

    def offset(self, second: int) -> int:
        """Seconds to add to UTC to get the wall clock."""
        return self.span(second).offset

    def _read(self, key: int) -> tuple[tuple[int, ...], tuple[Span, ...]]:
        if self._tz is None:
            spans: tuple[Span, ...] = (Span(-_FOREVER, _FOREVER, 0, 0, 0),)
        else:
            start = key << _CHUNK_BITS
            spans = tuple(_spans(self._tz, start, start + _CHUNK))
        if len(self._chunks) >= _CHUNKS_KEPT:
            self._chunks.clear()
        chunk = (tuple(span.start for span in spans), spans)
        self._chunks[key] = chunk
        return chunk


def _offset(tz: tzinfo, second: int) -> int:
    moment = EPOCH + timedelta(seconds=min(second, _SECOND_MAX))
    offset = moment.astimezone(tz).utcoffset()
    return 0 if offset is None else offset // timedelta(seconds=1)


def _changes(tz: tzinfo, start: int, end: int) -> list[tuple[int, int, int]]:
    """(second, offset before, offset from then on) of each change in [start, end)."""
    found = []
    low, before = start - 1, _offset(tz, start - 1)
    while low < end - 1:
        high = min(low + _PROBE, end - 1)
        after = _offset(tz, high)
        if after != before:
            left, right = low, high
            while right - left > 1:
                middle = (left + right) // 2
                if _offset(tz, middle) == before:
                    left = middle
                else:
                    right = middle
            found.append((right, before, after))
        low, before = high, after
    return found


def _spans(tz: tzinfo, start: int, end: int) -> list[Span]:
    # A repeat lasts up to a day and may reach over the border, so the change that began it is looked for too.
    changes = _changes(tz, start - _PROBE, end)
    spans = []
    opens, gap, repeat = start, 0, 0
    offset = _offset(tz, start - _PROBE - 1)
    for at, before, after in changes:
        if at > start:
            spans.append(Span(opens, at, offset, gap, repeat))
        opens, offset = max(at, start), after
        gap = max(0, after - before) if at >= start else 0
        repeat = max(0, at + before - after - opens)
    spans.append(Span(opens, end, offset, gap, repeat))
    return spans


def zone(name: str) -> Zone:
    """The zone of an IANA name such as `Asia/Shanghai`. Raises ZoneError, naming near matches.

    What this machine has under a name of its own is refused too: a schedule must mean the same on every one.
    """
    if not isinstance(name, str):
        raise ZoneError(_unknown(name))
    return _zone(name)


@lru_cache(maxsize=1024)
def _zone(name: str) -> Zone:
    if name in ("UTC", "Etc/UTC", "Z"):
        return Zone("UTC", None)
    if name in _HERE_ONLY or name.partition("/")[0] in _OTHER_TREES:
        raise ZoneError(f"{name[:100]!r} is not the same on every machine; name a real zone, such as 'Europe/Berlin'")
    # Read on use: a program whose schedules are all in UTC never loads the tz database.
    from zoneinfo import ZoneInfo

    try:
        return Zone(name, ZoneInfo(name))
    except (ValueError, OSError, LookupError, TypeError, AttributeError) as error:
        raise ZoneError(_unknown(name)) from error


def names() -> list[str]:
    """Every name that `zone` takes on this machine, sorted."""
    from zoneinfo import available_timezones

    return sorted(available_timezones().difference(_HERE_ONLY))


def _unknown(name: object) -> str:
    from difflib import get_close_matches

    if not isinstance(name, str) or not name:
        return f"a time zone is a name such as 'Europe/Berlin', not {name!r}"
    known = {known.casefold(): known for known in names()}
    if not known:
        return f"no time zone {name!r}: this machine has no tz database; install the package tzdata"
    wanted = name[:100].replace(" ", "_").casefold()
    cities = {full.rsplit("/", 1)[-1]: folded for folded, full in known.items() for full in (folded,)}
    near = [known[match] for match in get_close_matches(wanted, known, n=3, cutoff=0.7)]
    near += [known[cities[match]] for match in get_close_matches(wanted, cities, n=2, cutoff=0.8)]
    hint = ", ".join(dict.fromkeys(near))
    return f"no time zone {name[:100]!r}; " + (
        f"did you mean {hint}?" if hint else "use a name such as 'Europe/Berlin'"
    )


@lru_cache(maxsize=1)
def tz_version() -> str:
    """The release of this machine's tz database, such as `2025b`; empty where it does not say."""
    from importlib import import_module
    from pathlib import Path
    from zoneinfo import TZPATH

    for folder in TZPATH:
        for name in ("tzdata.zi", "+VERSION"):
            file = Path(folder) / name
            if file.is_file():
                with file.open(encoding="utf-8", errors="replace") as lines:
                    return lines.readline().removeprefix("# version").strip()
    try:
        return str(import_module("tzdata").IANA_VERSION)
    except (ImportError, AttributeError):
        return ""
