"""A sale is played with a writer in a process of its own, which is killed while it sells (P1, P9, R1.15)."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from shike.errors import BadOrder, UnknownTrain
from shike.rail.carriage import Carriage
from shike.rail.composition import Car, Composition, Trains
from shike.rail.sale.crowd import Manner, Train, crowd
from shike.rail.sale.picture import draw
from shike.rail.sale.proof import prove
from shike.rail.sale.simulate import Played, simulate
from shike.reserve.journal import open_journal
from tests.unit.rail.shop import DAY, railway

TRAINS = [Train(f"K{number}", ("second", "first"), ((0, 1), (0, 2), (1, 2))) for number in range(20)]


def test_a_seed_brings_the_same_crowd() -> None:
    assert list(crowd(TRAINS, 300, 7)) == list(crowd(TRAINS, 300, 7)) != list(crowd(TRAINS, 300, 8))


def test_the_crowd_is_early_late_and_forgetful_and_wants_some_trains_most() -> None:
    buyers = list(crowd(TRAINS, 3000, 1))
    assert {buyer.manner for buyer in buyers} == set(Manner)
    assert min(buyer.comes_seconds for buyer in buyers) < 0
    assert sum(0 <= buyer.comes_seconds < 60 for buyer in buyers) > 1500
    wanted = [sum(buyer.rides[0].ledger == train.ledger for buyer in buyers) for train in TRAINS]
    assert max(wanted) > 10 * min(wanted)
    assert {buyer.count for buyer in buyers} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("words", "error"), [({"buyers": 0}, BadOrder), ({"buyers": 10, "kills": 99}, BadOrder)])
def test_what_cannot_be_played_is_told_before_anything_is_opened(
    tmp_path: Path, words: dict[str, int], error: type[Exception]
) -> None:
    with pytest.raises(error):
        asyncio.run(simulate(railway(), DAY, f"sqlite:///{tmp_path}/sale.db", **words))
    assert not list(tmp_path.iterdir())
    with pytest.raises(UnknownTrain, match="there is nothing to sell"):
        asyncio.run(simulate(railway(), DAY.replace(year=2027), f"sqlite:///{tmp_path}/sale.db", buyers=1))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Path]:
    """Two hundred buyers for five trains of six seats."""
    file = tmp_path_factory.mktemp("sale") / "sale.db"
    return asyncio.run(simulate(railway(), DAY, f"sqlite:///{file}", buyers=200, seed=3, kills=2)), file


@pytest.mark.slow
def test_the_writer_is_killed_twice_and_nothing_is_sold_twice_or_lost(played: tuple[Played, Path]) -> None:
    sale, _ = played
    assert sale.proof.problems == [] and sale.proof.clean
    assert len(sale.outages) == 2 and all(outage.open and outage.seconds for outage in sale.outages)
    assert sale.proof.told == sum(map(len, sale.tally.told.values())) > 200
    counts = sale.tally.counts
    sold = ("held", "refused", "paid", "expired", "wait", "served", "waited in vain")
    assert [name for name in sold if not counts[name]] == []
    assert counts["tickets"] - counts["tickets given back"] == sale.proof.tickets
    assert counts["wait"] == counts["served"] + counts["waited in vain"]


@pytest.mark.slow
def test_it_is_drawn(played: tuple[Played, Path]) -> None:
    picture = ElementTree.fromstring(draw(played[0]))  # noqa: S314 - our own
    words = [text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any(word.startswith("200 buyers, 5 trains") for word in words)
    early = [second for second in played[0].tally.kills if 0 <= second < 120]
    assert len(played[0].tally.kills) == 2 and words.count("kill -9") == len(early)


@pytest.mark.slow
def test_a_frame_that_is_lost_afterwards_is_seen(played: tuple[Played, Path], tmp_path: Path) -> None:
    """Planted: what a writer does that answers before it has written."""
    sale, file = played
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
        (ledger,) = new.execute("select ledger from reserve_frames order by version desc limit 1").fetchone()
        new.execute(
            "delete from reserve_frames where ledger = ? and version ="
            " (select max(version) from reserve_frames where ledger = ?)",
            (ledger, ledger),
        )
        new.commit()

    async def again() -> list[str]:
        journal = open_journal(f"sqlite:///{copy}")
        await journal.open()
        try:
            return (await prove(journal, sale.tally.told)).problems
        finally:
            await journal.close()

    assert any("was told to" in words and words.startswith(ledger) for words in asyncio.run(again()))


@pytest.mark.slow
def test_a_journal_that_has_something_is_left_alone(played: tuple[Played, Path]) -> None:
    with pytest.raises(BadOrder, match="a sale is played on an empty one"):
        asyncio.run(simulate(railway(), DAY, f"sqlite:///{played[1]}", buyers=5))


@pytest.mark.slow
def test_journeys_of_two_trains_are_had_whole_and_changes_leave_one(tmp_path: Path) -> None:
    """And a saga that forgot its last step would be seen (R1.15)."""
    url = f"sqlite:///{tmp_path}/sale.db"
    trade = railway()
    second, first = Carriage("second", (1, 12), "A BF"), Carriage("first", (1, 5), "A F")
    long = Trains({"long": Composition("long", (Car("01", second), Car("02", first)))}, {"K": "long"})
    sale = asyncio.run(simulate(replace(trade, trains=long), DAY, url, buyers=400, seed=5, kills=1))
    assert sale.proof.problems == []
    counts = sale.tally.counts
    some = ("two trains", "onward refused", "changed")
    assert [name for name in some if not counts[name]] == [] and sale.tally.both and sale.tally.one

    async def crossed() -> list[str]:
        journal = open_journal(url)
        await journal.open()
        try:
            old, new = sale.tally.one[0]
            wrong = await prove(journal, {}, both=[(old, new)], one=[(new, new)])
            return wrong.problems
        finally:
            await journal.close()

    found = asyncio.run(crossed())
    assert any("for a journey" in words for words in found) and any("paid for still" in words for words in found)
