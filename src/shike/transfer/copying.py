"""Records from a reader into a store, page by page; and whether two stores hold the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from shike.errors import BadInput
from shike.store.base import Store
from shike.store.opening import without_secrets
from shike.store.portable import ALL_TIME, Portable, Reader, is_portable
from shike.store.records import Kind, MarksRecord, Record, Tally, place_of

PAGE_RECORDS: Final = 1_000  # in one transaction of the store that is loaded: milliseconds
IN_USE: Final = (
    Kind.SCHEDULES,
    Kind.CONTROLS,
    Kind.KEYS,
    Kind.RUNS,
    Kind.ENDED,
    Kind.DEAD,
)  # not new

Tallies = dict[Kind, Tally]
Progress = Callable[[Kind, int], None]


def nothing(kind: Kind, count: int) -> None:
    """Progress that nobody looks at."""


def portable(store: Store) -> Portable:
    """The store as one that can be carried. Raises `BadInput` for a kind that cannot."""
    if not is_portable(store):
        raise BadInput(f"{without_secrets(store.url)} cannot be moved, exported or imported into by this version")
    return store  # type: ignore[return-value]  # looked at one line above


async def pages(reader: Reader, kind: Kind, span: tuple[int, int] = ALL_TIME) -> AsyncIterator[Sequence[Record]]:
    """All records of a kind."""
    page = await reader.read(kind, (), PAGE_RECORDS, span)
    while page:
        yield page
        if len(page) < PAGE_RECORDS:
            return
        page = await reader.read(kind, place_of(page[-1]), PAGE_RECORDS, span)


async def copy(
    reader: Reader,
    to: Portable,
    kinds: Iterable[Kind],
    span: tuple[int, int] = ALL_TIME,
    progress: Progress = nothing,
) -> Tallies:
    """Load all records of these kinds, in the order of `Kind`; what there was."""
    tallies: Tallies = {}
    for kind in kinds:
        tally = tallies[kind] = Tally()
        async for page in pages(reader, kind, span):
            tally.add(page)
            await to.load(kind, page)
            progress(kind, tally.count)
    return tallies


async def tallied(store: Portable, kinds: Iterable[Kind], span: tuple[int, int] = ALL_TIME) -> Tallies:
    """What there is, of what does not change meanwhile."""
    tallies: Tallies = {}
    async with store.snapshot(still=True) as reader:
        for kind in kinds:
            tally = tallies[kind] = Tally()
            async for page in pages(reader, kind, span):
                tally.add(page)
    return tallies


def differences(wanted: Tallies, found: Tallies) -> list[str]:
    """What is not the same, in words. Numbers that only grow (MARKS) are not compared here."""
    wrong = []
    for kind, tally in wanted.items():
        other = found.get(kind, Tally())
        if kind is Kind.MARKS or (tally.count, tally.total) == (other.count, other.total):
            continue
        what = f"{other.count:,} of {tally.count:,}" if other.count != tally.count else f"{tally.count:,}, not the same"
        wrong.append(f"{kind}: {what}")
    return wrong


async def is_empty(store: Portable) -> bool:
    """Whether nothing was ever kept in a store."""
    async with store.snapshot(still=True) as reader:
        for kind in IN_USE:
            if await reader.read(kind, (), 1):
                return False
    return True


async def marks(store: Portable) -> MarksRecord:
    """The highest numbers a store has given away."""
    async with store.snapshot(still=True) as reader:
        (found,) = await reader.read(Kind.MARKS, (), 1)
    assert isinstance(found, MarksRecord)
    return found
