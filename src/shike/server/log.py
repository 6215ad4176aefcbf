"""Who did what, when, from where: an append-only log in the store, each entry holding the hash of the one before.

An entry is written in the request that it tells of, after the deed and before its answer: what is not in the log was
not answered. Two servers that write at once compare: one of them reads on and takes the next number. What is done
thousands of times a second (submits, claims, acknowledgements) is counted, and the counts are written every
LOG_SUM_SECONDS: runs tell of themselves.

Whoever changes, removes or inserts an entry breaks the chain, and `check` says where. Who can write to the database can
write a whole new chain: keep the newest hash somewhere else, too (`head`).

What was kept long enough may go, from the beginning of the chain only. An entry that stays tells up to which number,
and the hash of the last one that went (`PURGED`); the chain is checked from there on, and is sound only if that entry
is in it. Who noted an old hash elsewhere can still compare it with what that entry tells.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from shike.clock import Clock, to_datetime
from shike.errors import Conflict, StoreUnavailable
from shike.secret import redacted
from shike.server.bounds import LOG_CHARS_MAX, LOG_SEGMENT, LOG_SUM_SECONDS, LOG_SUMS_MAX, LOG_TRIES
from shike.server.roles import Access
from shike.store.base import Store

PREFIX: Final = "log/"
HEAD: Final = "log-head"  # the segment that was begun last: where to look for the end
FROM: Final = "log-from"  # what was dropped: `Dropped`
PURGED: Final = "log: older entries were dropped"  # the deed; `after` is a `Dropped`
FIRST_HASH: Final = "0" * 64


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deed, or a count of many of one kind. Fields are only ever added, each with a default."""

    number: int
    at: datetime
    key: str  # the id of the access key; empty: nobody
    name: str = ""
    role: str = ""
    address: str = ""
    deed: str = ""  # verb and path
    status: int = 0
    before: Any = None
    after: Any = None
    count: int = 1
    previous: str = ""  # the hash of the entry before
    hash: str = ""  # of this one, with `hash` empty


class Checked(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the chain."""

    sound: bool
    entries: int
    head: str  # the hash of the last entry: note it elsewhere
    broken_at: int = 0
    words: str = ""


class Dropped(Struct, frozen=True, kw_only=True):
    """Up to where the chain was dropped, and the hash of the last entry that went."""

    until: int = 0
    hash: str = FIRST_HASH
    count: int = 0  # this time


class Log:
    """The log of one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._last: tuple[int, str] | None = None  # number and hash of the last entry that we know of
        self._lock = asyncio.Lock()
        self._sums: Counter[tuple[str, str, str, str]] = Counter()
        self._summed_at = clock.monotonic()

    async def note(
        self, who: Access | None, address: str, deed: str, status: int, before: Any = None, after: Any = None
    ) -> None:
        """Append one entry. Raises `StoreError` where it could not be written."""
        await self._append(
            Entry(
                number=0,
                at=to_datetime(await self._store.now()),
                key=who.id if who else "",
                name=who.name if who else "",
                role=who.role if who else "",
                address=address,
                deed=deed,
                status=status,
                before=_short(before),
                after=_short(after),
            )
        )

    def count(self, who: Access, deed: str, number: int = 1) -> bool:
        """Count a deed of which there are many. True: it is time to `write_sums`."""
        if len(self._sums) < LOG_SUMS_MAX:
            self._sums[who.id, who.name, who.role, deed] += number
        return self._clock.monotonic() - self._summed_at >= LOG_SUM_SECONDS

    async def write_sums(self) -> None:
        """Write what was counted since the last time."""
        self._summed_at = self._clock.monotonic()
        sums, self._sums = self._sums, Counter()
        for (key, name, role, deed), count in sums.items():
            at = to_datetime(await self._store.now())
            await self._append(Entry(number=0, at=at, key=key, name=name, role=role, deed=deed, count=count))

    async def page(self, before: int, limit: int) -> list[Entry]:
        """Entries below this number, the newest first; 0: from the end."""
        number, gone = (before or (await self._end())[0] + 1) - 1, (await self.dropped()).until
        found: list[Entry] = []
        while number > gone and len(found) < limit:
            segment = [entry for entry in await self._segment(number // LOG_SEGMENT) if entry.number <= number]
            found += [entry for entry in reversed(segment) if entry.number > gone]
            number = number // LOG_SEGMENT * LOG_SEGMENT - 1
        return found[:limit]

    async def dropped(self) -> Dropped:
        """What went of the beginning."""
        return (await self._dropped())[0]

    async def _dropped(self) -> tuple[Dropped, int]:
        """… and the version of the row that says so; 0: there is none."""
        rows = [row for row in await self._store.controls(FROM) if row.key == FROM]
        return (msgspec.json.decode(rows[0].value, type=Dropped), rows[0].version) if rows else (Dropped(), 0)

    async def purge(self, who: Access | None, address: str, before: datetime) -> Dropped:
        """Drop the entries from before that time, never the newest one. The chain tells of it first: cut off at any
        point it stays sound, and the next purge completes what was begun. Raises `Conflict` where another server does
        the same just now, `StoreError`."""
        (gone, version), last = await self._dropped(), await self._last_before(before)
        if last is None:
            await self._sweep(gone.until)
            return Dropped(until=gone.until, hash=gone.hash)
        fresh = Dropped(until=last.number, hash=last.hash, count=last.number - gone.until)
        await self.note(who, address, PURGED, 200, msgspec.to_builtins(gone), msgspec.to_builtins(fresh))
        await self._store.put(FROM, msgspec.json.encode(fresh), expect=version)
        await self._sweep(fresh.until)
        return fresh

    async def _last_before(self, before: datetime) -> Entry | None:
        """The last entry of all that are older, one after the other from the beginning; None: there is none to drop."""
        gone, (end, _) = (await self.dropped()).until, await self._end()
        found: Entry | None = None
        for segment in range((gone + 1) // LOG_SEGMENT, end // LOG_SEGMENT + 1):
            for entry in await self._segment(segment):
                if entry.number <= gone:
                    continue
                if entry.at >= before or entry.number >= end:
                    return found
                found = entry
        return found

    async def _sweep(self, until: int) -> None:
        """Remove the rows up to this number."""
        for segment in range(until // LOG_SEGMENT, -1, -1):
            rows = await self._store.controls(f"{PREFIX}{segment:09d}/")
            numbers = [segment * LOG_SEGMENT + int(row.key.rpartition("/")[2]) for row in rows]
            doomed = [row for row, number in zip(rows, numbers, strict=True) if number <= until]
            if not doomed and segment < until // LOG_SEGMENT:
                return  # what lies before went earlier
            for row in doomed:
                await self._store.put(row.key, None, expect=None)

    async def check(self) -> Checked:
        """Compute the whole chain anew, from where it was dropped."""
        gone, end = await self.dropped(), (await self._end())[0]
        number, previous, attested = gone.until, gone.hash, not gone.until
        for segment in range((number + 1) // LOG_SEGMENT, end // LOG_SEGMENT + 1):
            for entry in await self._segment(segment):
                if entry.number <= gone.until:
                    continue
                number += 1
                wrong = _fault(entry, number, previous)
                if wrong:
                    return Checked(sound=False, entries=number - 1, head=previous, broken_at=number, words=wrong)
                previous = entry.hash
                attested = attested or _attests(entry, gone)
        words = "" if number >= end else f"entries {number + 1} to {end} are gone"
        broken_at = number + 1 if words else 0
        if not words and not attested:
            words, broken_at = f"the entries up to {gone.until} are gone, and no entry tells of it", 1
        return Checked(sound=not words, entries=number, head=previous, broken_at=broken_at, words=words)

    async def _append(self, entry: Entry) -> None:
        async with self._lock:
            for _ in range(LOG_TRIES):
                number, previous = self._last or await self._end()
                placed = replace(entry, number=number + 1, previous=previous)
                placed = replace(placed, hash=_hash(placed))
                try:
                    await self._store.put(_key(placed.number), msgspec.json.encode(placed), expect=0)
                except Conflict:  # another server was faster
                    self._last = None
                    continue
                self._last = (placed.number, placed.hash)
                if placed.number % LOG_SEGMENT == 0:
                    await self._store.put(HEAD, str(placed.number // LOG_SEGMENT).encode(), expect=None)
                return
        raise StoreUnavailable("the log of deeds is written to by too many at once; repeat the request")

    async def _end(self) -> tuple[int, str]:
        """The last entry: from the segment that was begun last, as far as is known, onwards."""
        rows = [row for row in await self._store.controls(HEAD) if row.key == HEAD]
        segment = int(rows[0].value) if rows else 0
        last = await self._segment(segment)
        while following := await self._segment(segment + 1):
            segment, last = segment + 1, following
        return (last[-1].number, last[-1].hash) if last else (0, FIRST_HASH)

    async def _segment(self, segment: int) -> list[Entry]:
        rows = await self._store.controls(f"{PREFIX}{segment:09d}/")
        return sorted((_decode(row.value) for row in rows), key=lambda entry: entry.number)


def _key(number: int) -> str:
    return f"{PREFIX}{number // LOG_SEGMENT:09d}/{number % LOG_SEGMENT:04d}"


def _hash(entry: Entry) -> str:
    return hashlib.sha256(msgspec.json.encode(replace(entry, hash=""), order="sorted")).hexdigest()


def _fault(entry: Entry, number: int, previous: str) -> str:
    if entry.number != number:
        return f"entry {number} is gone"
    if entry.previous != previous:
        return f"entry {number} does not follow on the one before it"
    return "" if _hash(entry) == entry.hash else f"entry {number} was changed"


def _attests(entry: Entry, gone: Dropped) -> bool:
    """Whether this entry tells that the chain was dropped just so far."""
    told = entry.after if isinstance(entry.after, dict) else {}
    return entry.deed == PURGED and (told.get("until"), told.get("hash")) == (gone.until, gone.hash)


def _short(value: Any) -> Any:
    """A JSON value of at most LOG_CHARS_MAX characters, without secrets."""
    if value is None:
        return None
    shown = redacted(msgspec.to_builtins(value, str_keys=True))
    text = msgspec.json.encode(shown).decode()
    return shown if len(text) <= LOG_CHARS_MAX else f"{text[:LOG_CHARS_MAX]}…"


_decode = msgspec.json.Decoder(Entry).decode
