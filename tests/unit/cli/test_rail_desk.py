"""`shike rail open|hold|pay|refund|why|verify|replay` as they are typed, over one file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Answer, Shell
from tests.unit.rail.feeds import written

Rail = Callable[..., Answer]
ADA, BOB = "Ada Lovelace/passport/X1234567", "Bob/passport/Y7654321"
TRAIN = "ICE 7/2019-05-01/1"


@pytest.fixture
def rail(tmp_path: Path, shell: Shell) -> Rail:
    """A train on sale at half past ten; commands are of that time."""
    feed = written(tmp_path)

    def at(*words: str, now: str = "2019-04-30T10:30Z") -> Answer:
        return shell("rail", *words, "--file", "rail.db", "--now", now)

    assert at("open", str(feed), "ICE 7", "2019-05-01").code == 0
    return at


def hold(rail: Rail, order: str, *people: str, now: str = "2019-04-30T10:30Z", to: str = "Köln Hbf") -> Answer:
    who = [word for one in people or (ADA,) for word in ("--passenger", one)]
    return rail("hold", order, TRAIN, "Aachen Hbf", to, *who, now=now)


def test_seats_are_held_paid_for_and_given_back_one_by_one(rail: Rail, shell: Shell) -> None:
    held = hold(rail, "o1", ADA, BOB)
    assert held.code == 0 and "state   held" in held.out and hold(rail, "o1", ADA, BOB).out == held.out
    assert "state   ticketed" in rail("pay", "o1").out
    assert "kept back" in rail("refund", "o1", "--ticket", "1", "--quote").out
    one = rail("refund", "o1", "--ticket", "1")
    assert "state      ticketed" in one.out and "goes back" in one.out
    assert "state      closed" in rail("refund", "o1").out
    again = rail("refund", "o1")
    assert again.code == 2 or "closed" in again.err
    checked = shell("rail", "verify")
    assert (checked.code, checked.err) == (0, "") and "clean" in checked.out


def test_a_hold_that_is_over_is_free_for_the_next_to_come(rail: Rail) -> None:
    hold(rail, "o1")
    late = rail("pay", "o1", now="2019-04-30T10:46Z")
    assert late.code == 1 and "o1 is expired" in late.err
    assert hold(rail, "o2", now="2019-04-30T10:46Z").code == 0  # the same person


def test_why_tells_what_a_hold_would_come_to(rail: Rail) -> None:
    assert rail("why", TRAIN, "Aachen Hbf", "Köln Hbf").code == 0
    over = rail("why", TRAIN, "Aachen Hbf", "Köln Hbf", now="2019-05-01T12:00Z")
    assert over.code == 1 and "passed" in over.out


def test_replay_shows_the_train_as_it_was(rail: Rail, shell: Shell) -> None:
    hold(rail, "o1")
    rail("pay", "o1", now="2019-04-30T10:31Z")

    def orders(*words: str) -> object:
        return shell("rail", "replay", TRAIN, "--json", *words).json["orders"]

    assert (orders("--at", "1"), orders("--at", "2"), orders()) == ({}, {"held": 1}, {"confirmed": 1})
    assert orders("--at", "2019-04-30T10:30:30Z") == {"held": 1}
    early = shell("rail", "replay", TRAIN, "--at", "2019-04-30T09:00Z")
    assert early.code == 2 and "was not yet opened then" in early.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hold", "o 1", TRAIN, "Aachen Hbf", "Köln Hbf", "--passenger", ADA], "names no order"),
        (["hold", "o1", TRAIN, "Köln Hbf", "Aachen Hbf", "--passenger", ADA], "it does not go back"),
        (["hold", "o1", TRAIN, "Aachen Hbf", "Köln Hbf", "--passenger", "Ada"], "a passenger is NAME/DOCUMENT/NUMBER"),
        (["hold", "o1", TRAIN, "Aachen Hbf", "Köln Hbf", *["--passenger", ADA] * 2], "one passenger is named twice"),
        (["hold", "o1", TRAIN, "Aachen Hbf", "Köln Hbf", "--passenger", ADA, "--class", "third"], "no class 'third'"),
        (["hold", "o1", "ICE 7", "Aachen Hbf", "Köln Hbf", "--passenger", ADA], "write TRAIN/YYYY-MM-DD/RUN"),
        (["pay", "nobody"], "there is no order 'nobody'"),
        (["refund", "nobody"], "there is no order 'nobody'"),
        (["why", TRAIN, "Aachen Hbf", "Köln Hbf", "--count", "9"], "1 to 5 passengers"),
        (["open", "elsewhere", "ICE 7", "2019-05-01"], "No such file"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_sells_nothing(
    rail: Rail, shell: Shell, words: list[str], said: str
) -> None:
    answer = rail(*words)
    assert answer.code == 2 and said in answer.err and answer.err.count("\n") == 1
    assert "1 train, 1 event in 1 frame" in shell("rail", "verify").out


def test_a_file_without_its_key_sells_nothing(rail: Rail, tmp_path: Path) -> None:
    Path("rail.db.desk").unlink()
    assert "begin with `shike rail open`" in rail("pay", "o1").err
    told = rail("open", str(written(tmp_path)), "ICE 7", "2019-05-01")
    assert told.code == 2 and "bring it back" in told.err


def test_the_key_is_for_its_owner_alone(rail: Rail) -> None:
    assert Path("rail.db.desk").stat().st_mode & 0o777 == 0o600


def test_verify_sees_a_ticket_that_its_ledger_does_not_know(rail: Rail, shell: Shell) -> None:
    """Planted: the last frame of a train is lost."""
    hold(rail, "o1")
    rail("pay", "o1")
    with closing(sqlite3.connect("rail.db")) as file:
        file.execute("delete from reserve_frames where version = (select max(version) from reserve_frames)")
        file.commit()
    found = shell("rail", "verify")
    assert found.code == 1 and "o1 has good tickets (0,) of ICE 7/2019-05-01/1; its ledger has (0,), held" in found.out
    assert "there is no file elsewhere.db" in shell("rail", "verify", "--file", "elsewhere.db").err


def test_who_waits_for_a_sold_out_train_gets_what_comes_free(rail: Rail, shell: Shell) -> None:
    at = "2019-04-30T10:30Z"
    assert (
        shell("rail", "open", "feed.zip", "IC 9", "2019-05-01", "--online", "3", "--file", "few.db", "--now", at).code
        == 0
    )

    def few(*words: str, now: str = at) -> Answer:
        return shell("rail", *words, "--file", "few.db", "--now", now)

    ride = ("IC 9/2019-05-01/1", "Köln Hbf", "Aachen Hbf")
    assert few("hold", "o1", *ride, "--passenger", ADA).code == 0
    full = few("hold", "o2", *ride, "--passenger", BOB)
    assert full.code == 1 and "no more seats of class second are for sale" in full.err
    waits = few("wait", "w1", *ride, "--passenger", BOB, "--until", "in 2h")
    assert waits.code == 0 and "state   waiting" in waits.out and "2019-04-30T12:30:00" in waits.out
    assert "state   held" in few("order", "w1", now="2019-04-30T10:45Z").out  # nobody paid for the other
    assert "state   ticketed" in few("pay", "w1", now="2019-04-30T10:50Z").out
    assert "has passed" in few("wait", "w2", *ride, "--passenger", ADA, "--until", "2h ago").err
    assert shell("rail", "verify", "--file", "few.db").code == 0


def test_a_sale_that_cannot_be_played_or_drawn_is_told_first(tmp_path: Path, shell: Shell) -> None:
    sale = ("rail", "simulate", str(written(tmp_path)), "2019-05-01")
    for words, said in (
        (["--picture", "nowhere/sale.svg"], "there is no folder nowhere"),
        (["--buyers", "0"], "a sale has 1 to 1,000,000 buyers"),
        (["--kills", "21"], "killed at most 20 times"),
    ):
        answer = shell(*sale, *words)
        assert answer.code == 2 and said in answer.err


@pytest.mark.slow
def test_a_sale_is_played_from_the_command_line(tmp_path: Path, shell: Shell) -> None:
    sale = ("rail", "simulate", str(written(tmp_path)), "2019-05-01", "--buyers", "60", "--journal", "sale.db")
    told = shell(*sale, "--json").json
    assert told["problem_count"] == 0 and len(told["kills"]) == 1 and told["counts"]["held"]
    assert "a sale is played on an empty one" in shell(*sale).err
    assert "clean" in shell("rail", "verify", "--file", "sale.db").out
