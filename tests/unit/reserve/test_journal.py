"""One suite for every journal: all or nothing, one writer, in order, and damage is noticed (R1.8, P9)."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import structs

from shike.errors import BadStoreURL, DamagedJournal, Fenced, UnsafeStore
from shike.reserve import snapshot
from shike.reserve.journal import Frame, Journal, Kept, frames, open_journal
from shike.reserve.journal.reading import events_of, load, replay, verify
from shike.reserve.journal.sqlite import SQLiteJournal
from shike.reserve.ledger import Ledger
from tests.unit.reserve.journals import KINDS, Place, as_it_is, place
from tests.unit.reserve.worlds import hold, opened, pool, same, sold

Story = Callable[[Place, Journal], Awaitable[None]]


def tell(kind: str, folder: Path, story: Story) -> None:
    async def run() -> None:
        async with place(kind, folder) as where:
            await story(where, await where.journal())

    asyncio.run(run())


def written(ledger: Ledger, *cuts: int, name: str = "test") -> list[Frame]:
    """The events of the ledger as frames, cut at these versions."""
    made: list[Frame] = []
    bounds = (0, *cuts, len(ledger.fresh))
    for first, last in itertools.pairwise(bounds):
        before = made[-1].checksum if made else 0
        made.append(frames.encode(name, first, before, ledger.fresh[first:last]))
    return made


def busy(orders: int = 6) -> Ledger:
    ledger = opened(pool(size=12))
    for number in range(orders):
        sold(ledger, number % 3, 3)
    return ledger


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_appended_is_read_back_in_order_by_anybody(kind: str, tmp_path: Path) -> None:
    ledger = busy()

    async def story(where: Place, journal: Journal) -> None:
        made = written(ledger, 1, 4, 9)
        await journal.append(made[:1])
        await journal.append(made[1:])
        other = await where.journal()
        assert await other.frames("test") == made
        assert await other.frames("test", 4) == made[2:]
        assert await other.frames("test", 0, 2) == made[:2]
        assert await other.frames("nobody") == []
        read = await load(other, "test")
        assert same(read.state, ledger.state) and read.checksum == made[-1].checksum

    tell(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_any_cut_into_frames_gives_the_same_ledger(kind: str, tmp_path: Path) -> None:
    async def story(_where: Place, journal: Journal) -> None:
        for number, cuts in enumerate([(), (1,), (2, 3, 5), (7,), tuple(range(1, 13))]):
            ledger = busy()
            await journal.append(written(ledger, *cuts, name=f"cut{number}"))
            assert same((await load(journal, f"cut{number}")).state, ledger.state)

    tell(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_writers_at_one_version_one_wins(kind: str, tmp_path: Path) -> None:
    """However near to each other they come: the version is the fence, no lock."""

    async def story(where: Place, journal: Journal) -> None:
        ledger = busy()
        made = written(ledger, 1, 4)
        await journal.append(made[:1])
        other = await where.journal()
        for ours in (made[1], frames.encode("test", 1, made[0].checksum, ledger.fresh[1:2])):
            answers = await asyncio.gather(journal.append([ours]), other.append([ours]), return_exceptions=True)
            if ours is made[1]:
                assert sorted(map(str, map(type, answers))) == sorted(map(str, (Fenced, type(None))))
            else:
                assert [type(answer) for answer in answers] == [Fenced, Fenced]
        with pytest.raises(Fenced) as told:
            await other.append([made[1]])
        assert (told.value.ledger, told.value.version) == ("test", 1)
        assert (await load(other, "test")).state.version == 4

    tell(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_ledgers_are_told_apart_to_the_sign(kind: str, tmp_path: Path) -> None:
    names = ["G1", "g1", "G1 ", " G1", "Ǵ1", "复1", "x" * 200]

    async def story(_where: Place, journal: Journal) -> None:
        for name in names:
            await journal.append(written(busy(), name=name))
        assert sorted(await journal.ledgers()) == sorted(names)
        for name in names:
            assert {frame.ledger for frame in await journal.frames(name)} == {name}

    tell(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_several_ledgers_are_appended_together_or_not_at_all(kind: str, tmp_path: Path) -> None:
    async def story(_where: Place, journal: Journal) -> None:
        one, two = written(busy(), name="one"), written(busy(), name="two")
        await journal.append(one)
        with pytest.raises(Fenced):
            await journal.append([*two, *one])
        assert await journal.frames("two") == []
        with pytest.raises(Fenced):  # something between is missing
            await journal.append([structs.replace(two[0], version=5)])
        await journal.append(two)
        assert await journal.ledgers() == ["one", "two"]
        assert await journal.ledgers("one") == ["two"]
        assert await journal.ledgers("", 1) == ["one"]

    tell(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_snapshot_and_its_tail_are_the_ledger(kind: str, tmp_path: Path) -> None:
    """And a snapshot of an earlier version does not take the place of a later one."""

    async def story(_where: Place, journal: Journal) -> None:
        ledger = busy()
        made = written(ledger, 5)
        await journal.append(made)
        early, late = await replay(journal, "test", version=5), await replay(journal, "test")
        for state, frame in ((early, made[0]), (late, made[1]), (early, made[0])):
            data = snapshot.encode(state)
            await journal.keep(Kept("test", state.version, frame.checksum, zlib.crc32(data), data))
        kept = await journal.kept("test")
        assert kept is not None and kept.version == ledger.state.version
        hold(ledger, 0, 1)
        await journal.append([frames.encode("test", kept.version, made[1].checksum, ledger.fresh[kept.version :])])
        assert same((await load(journal, "test")).state, ledger.state)
        assert (await verify(journal, "test")).clean

    tell(kind, tmp_path, story)


@pytest.mark.parametrize("kind", KINDS)
def test_time_travel_stops_at_any_event(kind: str, tmp_path: Path) -> None:
    async def story(_where: Place, journal: Journal) -> None:
        ledger = busy(2)
        await journal.append(written(ledger, 2))
        seen = [(await replay(journal, "test", version=version)).version for version in range(6)]
        assert seen == [0, 1, 2, 3, 4, 5]
        told = [(version, event) async for version, event in events_of(journal, "test")]
        assert told == list(enumerate(ledger.fresh, 1))
        last = ledger.fresh[-1].at
        assert (await replay(journal, "test", until=last)).version == 5
        assert (await replay(journal, "test", until=last - 1)).version == 0

    tell(kind, tmp_path, story)


def flipped(body: bytes, bit: int) -> bytes:
    return body[: bit // 8] + bytes([body[bit // 8] ^ 1 << bit % 8]) + body[bit // 8 + 1 :]


def test_every_flipped_bit_and_every_torn_frame_is_noticed() -> None:
    frame = written(busy(1))[0]
    for bit in range(0, len(frame.body) * 8, 5):
        with pytest.raises(DamagedJournal):
            frames.decode(structs.replace(frame, body=flipped(frame.body, bit)), 0, 0)
    for length in range(len(frame.body)):
        with pytest.raises(DamagedJournal) as told:
            frames.decode(structs.replace(frame, body=frame.body[:length]), 0, 0)
        assert told.value.version == 0
    for wrong in ({"version": 1}, {"count": 1}, {"checksum": frame.checksum ^ 1}, {"ledger": "other"}):
        with pytest.raises(DamagedJournal):
            frames.decode(structs.replace(frame, **wrong), 0, 0)


def test_a_frame_that_is_gone_or_exchanged_is_noticed(tmp_path: Path) -> None:
    """Also one that is well by itself: the checksum goes over all that came before."""

    async def story(_where: Place, journal: Journal) -> None:
        ledger = busy()
        made = written(ledger, 3, 5)
        await journal.append([made[0], frames.encode("test", 3, 0, ledger.fresh[3:5]), made[2]])
        verdict = await verify(journal, "test")
        assert not verdict.clean and verdict.version == 3
        with pytest.raises(DamagedJournal, match="sound up to event 3"):
            await load(journal, "test")

    tell("memory", tmp_path, story)


def test_a_snapshot_that_is_damaged_is_passed_over_and_told_of(tmp_path: Path) -> None:
    async def story(_where: Place, journal: Journal) -> None:
        ledger = busy()
        made = written(ledger)
        await journal.append(made)
        data = snapshot.encode(ledger.state)
        for spoilt in (flipped(data, 77), data[:-9]):
            await journal.keep(Kept("test", ledger.state.version, made[0].checksum, zlib.crc32(data), spoilt))
            assert same((await load(journal, "test")).state, ledger.state)
            assert "damaged" in (await verify(journal, "test")).problems[-1]

    tell("memory", tmp_path, story)


def test_after_a_crash_in_the_middle_of_a_commit_each_batch_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """The write-ahead log is cut off at many places, as power loss would: what is left is a beginning of the story."""

    async def write(file: Path) -> Ledger:
        journal = SQLiteJournal(f"sqlite:///{file}")
        await journal.open()
        ledger = busy(12)
        for made in written(ledger, *range(3, 25, 3)):
            await journal.append([made])
        for part in (file, Path(f"{file}-wal")):
            (tmp_path / f"copy-{part.name}").write_bytes(part.read_bytes())
        await journal.close()
        return ledger

    async def read(file: Path) -> int:
        journal = SQLiteJournal(f"sqlite:///{file}")
        await journal.open()
        verdict = await verify(journal, "test")
        await journal.close()
        assert verdict.clean
        return verdict.version

    ledger = asyncio.run(write(tmp_path / "whole.db"))
    log = (tmp_path / "copy-whole.db-wal").read_bytes()
    versions = set()
    for number, size in enumerate(range(0, len(log), max(1, len(log) // 40))):
        file = tmp_path / f"cut{number}.db"
        file.write_bytes((tmp_path / "copy-whole.db").read_bytes())
        Path(f"{file}-wal").write_bytes(log[:size])
        versions.add(asyncio.run(read(file)))
    assert len(versions) > 5 and all(version % 3 == 0 or version == ledger.state.version for version in versions)


def test_a_redis_server_that_may_lose_sales_is_refused_unless_that_was_accepted() -> None:
    """P8. The machine's own keeps no append-only file."""

    async def story() -> None:
        journal = open_journal(as_it_is("redis"))
        try:
            with pytest.raises(UnsafeStore, match="may lose"):
                await journal.open()
        finally:
            await journal.close()

    asyncio.run(story())


def test_a_url_that_names_no_journal_is_refused() -> None:
    with pytest.raises(BadStoreURL):
        open_journal("etcd://somewhere")
