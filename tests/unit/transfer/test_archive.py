"""The exported file: whole or refused, and read by every later program."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest

from shike.clock import ManualClock
from shike.errors import BadArchive, BadInput
from shike.model import Run, State
from shike.store.memory import MemoryStore
from shike.store.portable import Marker, Phase
from shike.store.records import RECORDS_VERSION, Kind, LiveRecord, Record, Tally
from shike.transfer.archive import MAGIC, Archive, Ending, Header, Writer
from shike.transfer.files import import_store

HEADER = Header(
    format=1, id="7", namespace="shike", virtual_buckets=1, exported_at=1, snapshot="one instant of the store"
)


def record(number: int) -> LiveRecord:
    return LiveRecord(RECORDS_VERSION, Run(1, number << 8, "mail"), State.SCHEDULED, number, 3)


RECORDS: list[Record] = [record(number) for number in range(1, 9)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Eight runs in two pages."""
    tally = Tally()
    tally.add(RECORDS)
    path = tmp_path / "all.shike"
    with Writer(path, HEADER) as writer:
        writer.add(Kind.RUNS, RECORDS[:4])
        writer.add(Kind.RUNS, RECORDS[4:])
        writer.finish(Ending(tallies={Kind.RUNS: tally}))
    return path


def test_what_is_read_is_what_was_written(file: Path) -> None:
    archive = Archive(file)
    assert archive.header == HEADER
    assert list(archive.pages()) == [(Kind.RUNS, RECORDS[:4]), (Kind.RUNS, RECORDS[4:])]
    assert archive.ending().tallies[Kind.RUNS].count == 8


def test_the_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "all.shike"
    path.write_bytes(b"an older one")
    with pytest.raises(RuntimeError), Writer(path, HEADER) as writer:
        writer.add(Kind.RUNS, RECORDS)
        raise RuntimeError("the store is gone")
    assert path.read_bytes() == b"an older one"
    assert list(tmp_path.iterdir()) == [path]


def test_any_damage_is_found_before_anything_is_used_and_the_place_is_told(file: Path) -> None:
    good = file.read_bytes()
    for place in range(len(good)):
        file.write_bytes(good[:place] + bytes([good[place] ^ 0x41]) + good[place + 1 :])
        with pytest.raises(BadArchive, match="at byte") as caught:
            Archive(file).ending()
        assert caught.value.offset <= place


def test_a_file_that_was_cut_off_is_refused(file: Path) -> None:
    good = file.read_bytes()
    for length in range(len(good)):
        file.write_bytes(good[:length])
        with pytest.raises(BadArchive):
            Archive(file).ending()


def test_a_newer_format_is_refused_by_name(file: Path) -> None:
    data = zlib.compress(b"H" + msgspec.json.encode(msgspec.structs.replace(HEADER, format=9)))
    file.write_bytes(MAGIC + len(data).to_bytes(4, "big") + zlib.crc32(data).to_bytes(4, "big") + data)
    with pytest.raises(BadArchive, match="format 9, this program reads up to 1: upgrade shike"):
        Archive(file)


async def filled(file: Path, store: MemoryStore) -> int:
    await import_store(Archive(file), store)
    return (await store.counts()).scheduled


def test_an_import_that_was_cut_off_goes_on_with_the_same_file_only(file: Path) -> None:
    import asyncio

    async def story() -> None:
        store = MemoryStore(ManualClock(0))
        await store.restrict(Marker(phase=Phase.LOADING, id="7", peer="export 7"))
        await store.load(Kind.RUNS, RECORDS[:4])
        assert await filled(file, store) + (await store.counts()).eligible == 8
        other = MemoryStore(ManualClock(0))
        await other.restrict(Marker(phase=Phase.LOADING, id="8", peer="export 8"))
        with pytest.raises(BadInput, match="holds what came from export 8"):
            await filled(file, other)

    asyncio.run(story())


def test_other_virtual_buckets_are_refused_with_the_word_that_helps(file: Path) -> None:
    import asyncio

    with pytest.raises(BadInput, match=r"\?virtual_buckets=1 in its URL"):
        asyncio.run(filled(file, MemoryStore(ManualClock(0), virtual_buckets=64)))
