"""`shike rail` as it is typed: a timetable is read, and searched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Shell
from tests.unit.rail.feeds import REAL, SMALL, written


def test_import_tells_what_is_in_a_timetable_and_what_was_set_aside(shell: Shell) -> None:
    told = shell("rail", "import", str(REAL))
    assert told.code == 1 and "trips         6,060" in told.out and "set aside     3" in told.out
    assert "stop_times.txt:41660: trip 2718: EN 452 would go back in time here" in told.out
    facts = shell("rail", "import", str(REAL), "--json").json
    assert (facts["first_day"], facts["last_day"], facts["trains_a_day"]) == ("2018-12-09", "2019-12-14", 722)
    assert len(facts["problems"]) == 3


def test_import_of_a_whole_timetable_is_well(tmp_path: Path, shell: Shell) -> None:
    told = shell("rail", "import", str(written(tmp_path)))
    assert told.code == 0 and "set aside     0" in told.out


def test_search_lists_the_trains_of_a_day(shell: Shell) -> None:
    found = shell("rail", "search", str(REAL), "berlin hbf", "köln hbf", "2019-05-03")
    assert found.code == 0
    first = found.out.splitlines()[1].split()
    assert first == ["ICE", "948", "00:20", "06:57", "6:37", "Berlin", "Hbf", "Köln", "Hbf", "14"]
    trains = shell("rail", "search", str(REAL), "berlin hbf", "köln hbf", "2019-05-03", "--json").json["trains"]
    assert trains[0]["departures"] == ["ICE 948/2019-05-03/1"] and trains[0]["calls"][0] == "Berlin Hbf"


def test_search_with_a_change_says_where(shell: Shell) -> None:
    found = shell("rail", "search", str(REAL), "Norddeich Mole", "Freiburg(Breisgau) Hbf", "2019-05-03", "--change")
    assert found.code == 0 and "change at " in found.out and " + " in found.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Berlin Hbff", "Köln Hbf", "2019-05-01"], "no station is called 'Berlin Hbff'; did you mean Berlin Hbf"),
        (["Hbf", "Köln Hbf", "2019-05-01"], "say which: Köln Hbf, Aachen Hbf, Berlin Hbf"),
        (["Köln Hbf", "Köln Hbf", "2019-05-01"], "are the same place"),
        (["Berlin Hbf", "Köln Hbf", "tomorrow"], "'tomorrow' is no day; write it as 2026-11-22"),
        (["Berlin Hbf", "Köln Hbf", "2026-11-22"], "the timetable knows 2019-03-30 to 2019-10-27, not 2026-11-22"),
    ],
)
def test_a_search_that_cannot_be_is_answered_in_one_sentence(
    tmp_path: Path, shell: Shell, words: list[str], said: str
) -> None:
    answer = shell("rail", "search", str(written(tmp_path)), *words)
    assert answer.code == 2 and said in answer.err and answer.err.count("\n") == 1


def test_a_broken_feed_is_told_with_its_line(tmp_path: Path, shell: Shell) -> None:
    broken = written(tmp_path, stop_times=SMALL["stop_times.txt"].replace("08:32:00", "8 o'clock"))
    answer = shell("rail", "import", str(broken))
    assert (answer.code, answer.err) == (
        2,
        'shike: stop_times.txt:3: departure_time: "8 o\'clock" is no time; write HH:MM:SS, past 24:00:00 too\n',
    )
    assert "No such file" in shell("rail", "import", "nowhere.zip").err


def test_nothing_that_goes_there_is_no_error(tmp_path: Path, shell: Shell) -> None:
    found = shell("rail", "search", str(written(tmp_path)), "Berlin", "Aachen", "2019-05-01")
    assert (found.code, found.out) == (0, "no train goes from Berlin to Aachen on 2019-05-01\n")
