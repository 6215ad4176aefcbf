"""Everything under the keys as records, read from a copy of one instant or from what stands still; and the phases of a
move."""

from __future__ import annotations

import asyncio
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec.structs import replace

from shike.model import Ended, Live, State
from shike.store.portable import ALL_TIME, MARKER_KEY, Marker, Phase, Reader, decoded, encoded
from shike.store.records import RECORDS_VERSION as V
from shike.store.records import (
    AttemptRecord,
    BucketRecord,
    ControlRecord,
    DigestRecord,
    KeyRecord,
    Kind,
    MarksRecord,
    MomentRecord,
    PermitRecord,
    Place,
    Record,
    ScheduleRecord,
    place_of,
    record_of_ended,
    record_of_live,
    record_of_version,
)
from shike.store.redis import keeping, reads, schedules, sessions
from shike.store.redis.base import HOME, Base
from shike.store.redis.copied import Copied
from shike.store.redis.records import eight, permits_of, read_key, split_attempts

PAGE: Final = 2_000  # of a hash or a list, in one call

_REFUSED: Final[dict[Phase, str]] = {  # kinds of steps: `lua/base.lua`
    Phase.COPYING: "d",
    Phase.DRAINING: "cd",
    Phase.SEALED: "cjwd",
    Phase.MOVED: "cjwbd",
    Phase.LOADING: "cjd",
    Phase.OPENED: "",
}


# ---------------------------------------------------------------- the reader


@dataclass(slots=True)
class Snapshot:
    """Reads pages of `base`: a copy, or a store of which nothing that is read changes. Records of the history, which
    never change, come from `history`, and what is there no more from its archive. What is not a run is gathered once,
    by kind."""

    base: Base
    history: Base
    archive: Reader | None = None
    words: str = "one instant of the store"
    _ids: dict[tuple[Kind, tuple[int, int]], array[int]] = field(default_factory=dict)
    _listed: dict[Kind, list[Record]] = field(default_factory=dict)
    _rows: tuple[str, list[Record]] = ("", [])
    _older: dict[Kind, Older] = field(default_factory=dict)  # what is read of the archive: the rest of a kind

    def __post_init__(self) -> None:
        if isinstance(self.base, Copied) and not self.base.at_once:
            self.words = "one instant of each virtual bucket"

    async def read(self, kind: Kind, after: Place, limit: int, span: tuple[int, int] = ALL_TIME) -> Sequence[Record]:
        match kind:
            case Kind.ENDED | Kind.ATTEMPTS if self.archive is not None:
                return await self._with_older(kind, after, limit, span, self.archive)
            case Kind.TIMETABLE:
                return await self._moments(after, limit)
            case _ if kind in _LISTS:
                if kind not in self._listed or not after:
                    self._listed[kind] = sorted(await _LISTS[kind](self.base), key=place_of)
                return _behind(self._listed[kind], after, limit)
            case _:
                return await self._own(kind, after, limit, span)

    async def _own(self, kind: Kind, after: Place, limit: int, span: tuple[int, int]) -> list[Record]:
        if kind is Kind.ATTEMPTS:
            return await self._attempts(after, limit)
        return await self._runs(kind, after, limit, span)

    async def _with_older(
        self, kind: Kind, after: Place, limit: int, span: tuple[int, int], archive: Reader
    ) -> list[Record]:
        """Our own first; then what only the archive has, from where it was read last."""
        if not after:
            self._older.pop(kind, None)
        found: list[Record] = []
        if kind not in self._older:
            found = await self._own(kind, after, limit, span)
            if len(found) == limit:
                return found
            self._older[kind] = Older(archive, kind, span, await self._index(kind, span, anew=False))
        return found + await self._older[kind].take(limit - len(found))

    async def _runs(self, kind: Kind, after: Place, limit: int, span: tuple[int, int]) -> list[Record]:
        ids = await self._index(kind, span, anew=not after)
        base = self.base if kind is not Kind.ENDED else self.history
        found: list[Record] = []
        at = bisect_right(ids, int(after[-1])) if after else 0
        while len(found) < limit and at < len(ids):
            wanted = ids[at : at + limit - len(found)]
            at += len(wanted)
            for row in await reads.look(base, wanted):
                if isinstance(row, Live) and kind is Kind.RUNS:
                    found.append(record_of_live(row))
                elif isinstance(row, Ended) and kind is not Kind.RUNS:
                    found.append(record_of_ended(row))
        return found

    async def _attempts(self, after: Place, limit: int) -> list[Record]:
        ids = await self._index(Kind.ATTEMPTS, ALL_TIME, anew=not after)
        found: list[Record] = []
        at = bisect_right(ids, int(after[0]) - 1) if after else 0
        while len(found) < limit and at < len(ids):
            wanted = ids[at : at + limit]
            at += len(wanted)
            for run_id, rows in zip(wanted, await _attempts_of(self.base, wanted), strict=True):
                attempts = [AttemptRecord(V, run_id, token, body) for token, body in split_attempts(rows)]
                found += sorted((one for one in attempts if place_of(one) > after), key=place_of)
        return found[:limit]

    async def _moments(self, after: Place, limit: int) -> list[Record]:
        parts = await _everywhere(self.base, "SMEMBERS", ":tt_names")
        names = sorted({name.decode() for part in parts for name in part})
        found: list[Record] = []
        for name in names:
            if after and name < str(after[0]):
                continue
            if self._rows[0] != name:
                rows = await schedules.timetable(self.base, name, *ALL_TIME)
                self._rows = name, [MomentRecord(V, row) for row in rows]
            found += _behind(self._rows[1], after, limit - len(found))
            if len(found) == limit:
                break
        return found

    async def _index(self, kind: Kind, span: tuple[int, int], *, anew: bool) -> array[int]:
        """All ids of a kind, in order: 8 bytes each."""
        if anew or (kind, span) not in self._ids:
            parts = await asyncio.gather(*[self._ids_of(at, kind, span) for at in self.base.every])
            merged: array[int] = array("Q")
            last = -1
            for run_id in sorted(run_id for part in parts for run_id in part):
                if run_id != last:
                    merged.append(run_id)
                last = run_id
            self._ids[kind, span] = merged
        return self._ids[kind, span]

    async def _ids_of(self, bucket: int, kind: Kind, span: tuple[int, int]) -> array[int]:
        found: array[int] = array("Q")
        if kind is Kind.ENDED and isinstance(self.base, Copied):
            while page := await _peek(self.base, bucket, "LRANGE", ":over_order", len(found), len(found) + PAGE - 1):
                found.frombytes(b"".join(page))
        else:
            cursor: bytes | str = "0"
            words = span if kind is Kind.ENDED and span != ALL_TIME else ("", "")
            while cursor != b"0":
                cursor, ids = await self.base.at(bucket, "ids", _HASHES[kind], cursor, PAGE, *words)
                found.frombytes(ids)
        if sys.byteorder == "little":
            found.byteswap()
        return found


@dataclass(slots=True)
class Older:
    """What an archive has of one kind, but for the runs that are `known`: in the order in which it tells them."""

    archive: Reader
    kind: Kind
    span: tuple[int, int]
    known: array[int]
    _ready: deque[Record] = field(default_factory=deque)
    _after: Place = ()
    _is_all: bool = False

    async def take(self, count: int) -> list[Record]:
        while len(self._ready) < count and not self._is_all:
            page = await self.archive.read(self.kind, self._after, PAGE, self.span)
            self._is_all = len(page) < PAGE
            if page:
                self._after = place_of(page[-1])
            self._ready += [record for record in page if not self._is_known(record)]
        return [self._ready.popleft() for _ in range(min(count, len(self._ready)))]

    def _is_known(self, record: Record) -> bool:
        run_id = record.run_id if isinstance(record, AttemptRecord) else int(place_of(record)[-1])
        at = bisect_left(self.known, run_id)
        return at < len(self.known) and self.known[at] == run_id


_HASHES: Final = {Kind.RUNS: ":run", Kind.ENDED: ":over", Kind.DEAD: ":dead", Kind.ATTEMPTS: ":att"}


def _behind(records: list[Record], after: Place, limit: int) -> list[Record]:
    at = bisect_right(records, after, key=place_of) if after else 0
    return records[at : at + limit]


async def _attempts_of(base: Base, run_ids: Sequence[int]) -> list[bytes]:
    """What is written down of each run."""
    rows = [b""] * len(run_ids)
    places: dict[int, list[int]] = {}
    for place, run_id in enumerate(run_ids):
        places.setdefault(base.bucket_of(run_id), []).append(place)
    for bucket, listed in places.items():
        found = await _peek(base, bucket, "HMGET", ":att", *[eight(run_ids[place]) for place in listed])
        for place, row in zip(listed, found, strict=True):
            rows[place] = row or b""
    return rows


async def _peek(base: Base, bucket: int, command: str, key: str, *words: bytes | str | int) -> Any:
    return await base.at(bucket, "peek", command, key, *words)


async def _everywhere(base: Base, command: str, key: str) -> list[Any]:
    """The answer of each bucket."""
    return list(await asyncio.gather(*[_peek(base, bucket, command, key) for bucket in base.every]))


async def _fields(base: Base, bucket: int, key: str) -> dict[bytes, bytes]:
    """A whole hash, a page at a time."""
    found: dict[bytes, bytes] = {}
    cursor: bytes | str = "0"
    while cursor != b"0":
        cursor, page = await _peek(base, bucket, "HSCAN", key, cursor, "COUNT", PAGE)
        found |= dict(zip(page[::2], page[1::2], strict=True))
    return found


# ---------------------------------------------------------------- what is gathered whole


async def _schedules(base: Base) -> list[Record]:
    return [ScheduleRecord(V, planned) for planned in await schedules.schedules(base)]


async def _versions(base: Base) -> list[Record]:
    names = [planned.schedule.name for planned in await schedules.schedules(base)]
    return [record_of_version(one) for name in names for one in await schedules.versions(base, name)]


async def _controls(base: Base) -> list[Record]:
    rows = [row for row in await keeping.controls(base, "") if row.key != MARKER_KEY]
    return [ControlRecord(V, row.key, row.value, row.version) for row in rows]


async def _keys(base: Base) -> list[Record]:
    parts = await asyncio.gather(*[_fields(base, bucket, ":keys") for bucket in base.every])
    return [KeyRecord(V, key.decode(), *read_key(raw)) for part in parts for key, raw in part.items()]


async def _permits(base: Base) -> list[Record]:
    """Runs know the permits that they hold."""
    parts = await asyncio.gather(*[_fields(base, bucket, ":chg") for bucket in base.every])
    keys = {key for part in parts for raw in part.values() for key in permits_of(raw)}
    held = [(key, tuple(await reads.holders(base, key))) for key in sorted(keys)]
    return [PermitRecord(V, key, run_ids) for key, run_ids in held if run_ids]


async def _digests(base: Base) -> list[Record]:
    counts: dict[tuple[int, str, State], int] = {}
    days = await _days(base)
    rows = await asyncio.gather(*[_fields(base, bucket, f":digest:{day}") for bucket, day in days])
    for (_, day), fields in zip(days, rows, strict=True):
        for words, count in fields.items():
            state, _, task = words.decode().partition(":")
            key = (day, task, State(int(state)))
            counts[key] = counts.get(key, 0) + int(count)
    return [DigestRecord(V, day, task, state, count) for (day, task, state), count in counts.items()]


async def _days(base: Base) -> list[tuple[int, int]]:
    """(bucket, day) of each digest that is kept. No key lists them, so the names of all keys of a server are looked
    through, once; on a cluster once for each bucket, where it lies."""
    if not base.server.one_step:
        parts = await asyncio.gather(*[_days_like(base, bucket, base.tag(bucket)) for bucket in base.every])
        return [found for part in parts for found in part]
    first, after = base.tag(HOME).split(b":%d}" % HOME, 1)
    return await _days_like(base, HOME, first + b":*}" + after)


async def _days_like(base: Base, bucket: int, tag: bytes) -> list[tuple[int, int]]:
    cursor, found = b"0", set()
    while True:
        words = (b"SCAN", cursor, b"MATCH", tag + b":digest:*", b"COUNT", PAGE)
        cursor, keys = await base.server.command(base.tag(bucket), *words)
        for key in keys:
            where, _, day = key.rpartition(b":digest:")
            found.add((int(where.partition(b"}")[0].rpartition(b":")[2]), int(day)))
        if cursor == b"0":
            return sorted(found)


async def _buckets(base: Base) -> list[Record]:
    return [BucketRecord(V, bucket.low, bucket.high, bucket.epoch) for bucket in await sessions.buckets(base)]


async def _marks(base: Base) -> list[Record]:
    given = int(await _peek(base, HOME, "GET", ":session_number") or 0)
    counts = map(int, [found or 0 for found in await _everywhere(base, "GET", ":token")])
    tokens = max(count * base.buckets + bucket if count else 0 for bucket, count in enumerate(counts))
    return [MarksRecord(V, given, tokens)]


_LISTS: Final[dict[Kind, Callable[[Base], Awaitable[list[Record]]]]] = {
    Kind.SCHEDULES: _schedules,
    Kind.VERSIONS: _versions,
    Kind.CONTROLS: _controls,
    Kind.KEYS: _keys,
    Kind.PERMITS: _permits,
    Kind.DIGESTS: _digests,
    Kind.BUCKETS: _buckets,
    Kind.MARKS: _marks,
}


# ---------------------------------------------------------------- phases


async def restrict(base: Base, marker: Marker | None) -> None:
    """`Portable.restrict`. On a cluster home, whose word counts, is told last; and when a phase is given up, first that
    everything goes on: whoever was cut off finds a phase that every bucket is at least in."""
    if marker is None:
        known = await read_marker(base)
        if known is None:
            return
        await restrict(base, replace(known, phase=Phase.COPYING))
    letters, words = ("", b"") if marker is None else (_REFUSED[marker.phase], encoded(marker))
    others = [bucket for bucket in base.every if bucket != HOME]
    if base.server.one_step:
        await base.server.script("restrict", base.tags([HOME, *others]), (letters, words))
        return
    await base.everywhere(others, "restrict", (letters, words))
    await base.at(HOME, "restrict", letters, words)


async def read_marker(base: Base) -> Marker | None:
    """`Portable.marker`."""
    words = await keeping.marker_words(base)
    return decoded(words) if words else None
