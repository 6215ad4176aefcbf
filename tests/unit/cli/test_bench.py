"""`shike bench timers`: a table, a picture, and the drawings of the page."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.dom.minidom import parseString

import pytest

from shike.bench.arena import JDK, Arena
from shike.timer.build import build
from tests.unit.cli.conftest import Shell

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "timers.md"
FEW = ("--pending", "300", "--seconds", "0.1")


def test_it_prints_a_table_with_the_conditions_and_draws_a_plot(shell: Shell) -> None:
    answer = shell("bench", "timers", "--only", "heap", "--only", "asyncio", "--only", "scan", *FEW, "--plot", "x.svg")
    assert answer.code == 0
    assert "scan, 300 pending" in answer.out
    assert "binary heap" in answer.out and "asyncio" in answer.out and "skip list" not in answer.out
    assert "one scan ÷ asyncio" in answer.out
    assert "cores" in answer.out.splitlines()[-1]
    assert f"by default here: calendar queue, {build().name}" in answer.out.splitlines()[-1]
    picture = Path("x.svg").read_text(encoding="utf-8")
    assert parseString(picture).documentElement.tagName == "svg"  # noqa: S318 - our own
    assert "binary heap" in picture


def test_its_table_goes_into_a_page_as_it_is(shell: Shell) -> None:
    lines = shell("bench", "timers", "--only", "heap", "--only", "scan", *FEW, "--markdown").out.splitlines()
    assert lines[0].startswith("**scan, 300 pending.** The range scan")
    assert [line.count("|") for line in lines[2:5]] == [lines[2].count("|")] * 3
    assert lines[4].startswith("| binary heap | ")


def test_its_json_holds_every_figure(shell: Shell) -> None:
    found = shell("bench", "timers", "--only", "calendar", "--only", "life", *FEW, "--json").json
    (result,) = found["results"]
    assert (result["measure"], result["contestant"], result["pending"]) == ("life", "calendar", 300)
    assert {"insert", "cancel", "pop", "bytes", "gc", "longest"} <= set(result["figures"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--only", "wheel"), "there is no such measure or structure"),
        (("--pending", "5"), "between 100 and"),
        (("--seconds", "0"), "between 0.01 and"),
    ],
)
def test_bad_input_is_told_in_one_sentence(shell: Shell, words: tuple[str, ...], sentence: str) -> None:
    answer = shell("bench", "timers", *words)
    assert answer.code == 2
    assert sentence in answer.err and answer.err.count("\n") == 1


def test_lateness_is_measured_in_every_way_and_nothing_is_early(shell: Shell) -> None:
    found = shell("bench", "wake", "--count", "20", "--json").json["late_micros"]
    assert set(found) == {"sleep", "asyncio", "bell", "plain", "timerfd", "precise"}
    assert all(figures["early"] == 0 <= figures["p50"] <= figures["most"] for figures in found.values())
    table = shell("bench", "wake", "--count", "10").out.splitlines()
    assert table[0].split()[:4] == ["late,", "µs", "p50", "p99"]
    assert len(table) == 9
    assert shell("bench", "wake", "--count", "1").code == shell("bench", "wake", "--fifo", "200").code == 2


def test_the_pictures_of_the_page_are_those_that_the_command_draws(shell: Shell) -> None:
    assert shell("bench", "timers", "--draw", "drawn").code == 0
    drawn = {path.name: path.read_text(encoding="utf-8") for path in Path("drawn").iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in (PAGE.parent / "timers").glob("*.svg")}
    assert drawn.items() <= kept.items(), "to renew them: shike bench timers --draw docs/timers"
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in kept if f"timers/{name}" not in page] == []


@pytest.mark.skipif(not shutil.which("javac"), reason="needs a JDK")
@pytest.mark.slow
def test_the_timers_of_a_jdk_take_part_where_there_is_one() -> None:
    with Arena(1.0) as arena:
        assert set(JDK) <= set(arena.contestants())
        for name in JDK:
            result = arena.take("life", name, 500)
            assert result.why == ""
            assert set(result.figures) == {"insert", "cancel", "pop", "bytes"}


def test_routes_are_compared_in_tables_and_a_picture(shell: Shell) -> None:
    answer = shell("bench", "routes", "--plot", "routes.svg")
    assert answer.code == 0
    assert "weighted_round_robin" in answer.out and "p99 ÷ round robin's" in answer.out
    assert "consistent hash" in Path("routes.svg").read_text(encoding="utf-8")
