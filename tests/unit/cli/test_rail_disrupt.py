"""`shike rail disrupt` and `shike rail serve`, as far as they go without a browser (R1.7)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from shike.clock import SystemClock
from shike.rail.counter import set_up
from shike.rail.web.serving import open_house
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_rail_desk import TRAIN, Rail, hold, rail
from tests.unit.rail.feeds import written

__all__ = ["rail"]


def test_a_train_that_does_not_run_gives_everybody_their_money_back(rail: Rail) -> None:
    hold(rail, "o1")
    assert rail("pay", "o1").code == 0
    told = rail("disrupt", TRAIN, "--cancel", "--note", "storm")
    assert told.code == 0 and "1 order lost seats" in told.out and "o1: closed" in told.out
    assert "goes back" in told.out and rail("disrupt", TRAIN, "--cancel").out.count("o1") == 0
    refused = hold(rail, "o2")
    assert refused.code != 0 and "over" in refused.err


def test_other_carriages_seat_people_anew(rail: Rail) -> None:
    hold(rail, "o1")
    told = rail("disrupt", TRAIN, "--composition", "de-ic")
    assert told.code == 0 and "has the carriages de-ic" in told.out


@pytest.mark.parametrize("words", [(), ("--cancel", "--composition", "de-ic"), ("--composition", "nowhere")])
def test_what_cannot_be_done_is_told(rail: Rail, words: tuple[str, ...]) -> None:
    told = rail("disrupt", TRAIN, *words)
    assert told.code != 0 and told.err


def test_a_train_that_was_never_on_sale_is_told_of(rail: Rail) -> None:
    told = rail("disrupt", "IC 9/2019-05-01/1", "--cancel")
    assert told.code != 0 and "not put on sale" in told.err


def test_serving_says_what_is_missing(tmp_path: Path, shell: Shell) -> None:
    assert "no day" in shell("rail", "serve", "--sell", "tomorrow-ish").err
    assert "shike rail open" in shell("rail", "serve", "--file", "none.db").err


def test_a_railway_that_stops_says_good_bye(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with open_house(tmp_path / "rail.db", SystemClock(), host="127.0.0.1"):
            pass

    set_up(tmp_path / "rail.db", written(tmp_path), "EUR")
    asyncio.run(story())
    assert "good-bye" not in caplog.text
