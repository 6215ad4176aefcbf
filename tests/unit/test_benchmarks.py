"""The arithmetic behind the benchmark page: percentiles, ratios, and where tables are put."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import body, figures, goals, report
from benchmarks.conditions import machine
from benchmarks.driver import take
from benchmarks.measure import Column, Measure, Outcome, Row, Size, percentile
from benchmarks.measures import MEASURES, crash
from benchmarks.raw import RAW

OURS = Row("ours", "Ours", "sqlite", ours=True)
SLOW, FAST, OTHER = Row("slow", "Slow", "sqlite"), Row("fast", "Fast", "sqlite"), Row("other", "Other", "memory")


def _measure(*, more_is_better: bool = True) -> Measure:
    return Measure(
        name="speed",
        title="Speed",
        about="How fast.",
        rows=(OURS, SLOW, FAST, OTHER),
        columns=(Column("rate", "runs/s"),),
        run=lambda name, folder, size: {"rate": 1.0},
        repeats=2,
        key="rate",
        more_is_better=more_is_better,
    )


def _outcome(measure: Measure, **rates: list[float]) -> Outcome:
    return Outcome(measure, {name: [{"rate": rate} for rate in values] for name, values in rates.items()})


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


def test_the_ratio_is_to_the_best_peer_of_the_same_group_within_each_repeat() -> None:
    outcome = _outcome(_measure(), ours=[10, 100, 50], slow=[1, 1, 1], fast=[5, 10, 10], other=[999, 999, 999])
    assert outcome.best_peer("sqlite") == "fast"
    assert outcome.ratio(OURS) == 5.0  # the median of 2, 10 and 5, not 50 ÷ 10 by chance


def test_a_time_half_as_long_is_a_ratio_of_two() -> None:
    outcome = _outcome(_measure(more_is_better=False), ours=[2, 2], slow=[9, 9], fast=[4, 4])
    assert outcome.best_peer("sqlite") == "fast"
    assert outcome.ratio(OURS) == 2.0


def test_without_a_peer_there_is_no_ratio() -> None:
    assert _outcome(_measure(), ours=[10], other=[1]).ratio(OURS) is None


def test_each_repeat_visits_every_row_and_a_broken_one_only_once() -> None:
    visits: list[str] = []

    def run(name: str, folder: Path, size: Size) -> dict[str, float]:
        visits.append(name)
        if name == "slow":
            raise RuntimeError("broken")
        return {"rate": 1.0}

    measure = _measure()
    outcome = take(Measure(**{**vars(measure), "run": run}), Size.STANDARD, tell=lambda line: None)
    assert visits == ["ours", "slow", "fast", "other", "fast", "other", "ours"]
    assert outcome.failures == {"slow": "RuntimeError: broken"}


def test_a_row_that_hangs_is_killed_and_shown_as_such() -> None:
    def run(name: str, folder: Path, size: Size) -> dict[str, float]:
        if name == "fast":
            time.sleep(60)
        return {"rate": 1.0}

    measure = replace(_measure(), run=run, repeats=1, row_seconds_max=0.05)
    outcome = take(measure, Size.STANDARD, tell=lambda line: None)
    assert outcome.failures == {"fast": "Overdue: killed after 0.05 s"}
    assert "| Fast |  | failed |" in report.markdown(outcome) and "Fast: Overdue" in report.markdown(outcome)


def test_a_slow_row_is_taken_in_the_first_repeat_only() -> None:
    rows = (OURS, replace(SLOW, once=True))
    outcome = take(replace(_measure(), rows=rows, repeats=3), Size.STANDARD, tell=lambda line: None)
    assert {name: len(taken) for name, taken in outcome.repeats.items()} == {"ours": 3, "slow": 1}
    assert "slow peers once" in outcome.conditions


def test_cpu_per_run_stands_before_the_ratio_and_the_rates() -> None:
    columns = (Column("rate", "runs/s"), Column("cpu", "CPU", first=True))
    outcome = Outcome(replace(_measure(), columns=columns), {"ours": [{"rate": 6, "cpu": 2}], "fast": [{"rate": 3}]})
    assert report.markdown(outcome).startswith("|  | CPU | × best peer | runs/s |")
    assert "| **Ours** | 2 | **2.0** | 6 |" in report.markdown(outcome)


def test_a_picture_has_the_longest_bar_first_and_none_for_who_failed() -> None:
    measure = replace(_measure(), picture="rate")
    picture = report.drawn(_outcome(measure, slow=[1.0], fast=[300.0], other=[math.inf]))
    assert picture.index("Fast") < picture.index("Slow") and "Other" not in picture
    assert report.drawn(_outcome(measure)) == ""


def test_every_goal_is_read_from_a_figure_that_is_measured() -> None:
    for check in (check for goal in goals.GOALS for check in goal.checks):
        measure = MEASURES[check.measure]
        assert check.row in {row.name for row in measure.rows}, check
        assert check.key in {*(column.key for column in measure.columns), "ratio to best peer"}, check


def test_a_goal_is_met_missed_or_still_to_come(tmp_path: Path) -> None:
    goal = goals.Goal("speed", "≥ 9", (goals.Check("speed", "ours", "rate", 9, at_least=True, unit="/s"),))
    assert goal.line(figures.load(tmp_path)).endswith("| – |  | to come |")
    figures.keep([_outcome(_measure(), ours=[10.0], fast=[2.0])], tmp_path)
    kept = figures.load(tmp_path)
    assert goal.line(kept) == "| speed | ≥ 9 | 10/s |  | met |" and kept.ratio("speed", "ours") == 5.0
    figures.keep([_outcome(_measure(), ours=[8.0])], tmp_path)
    assert goal.line(figures.load(tmp_path)).endswith("| not met |")


def test_what_is_put_into_a_raw_store_is_claimed_once(tmp_path: Path) -> None:
    async def claimed() -> list[int]:
        store = RAW["sqlite-full"](tmp_path)
        await store.open()
        await store.append(0, 3)
        await store.insert(0, 3)
        counts = [await store.claim(token, 2) for token in range(3)]
        await store.ack(0)
        await store.close()
        return counts

    assert asyncio.run(claimed()) == [2, 1, 0]


def test_a_table_is_put_between_its_markers_and_nothing_else_is_touched(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before <!-- bench:machine --><!-- /bench:machine -->\n<!-- bench:speed -->\nold\n<!-- /bench:speed -->after"
    )
    report.write([_outcome(_measure(), ours=[10.0], fast=[2.0])], page)
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after") and "old" not in text and machine() in text
    assert "| **Ours** | **5.0** | 10 |" in text


def test_of_a_crash_the_worst_repeat_is_told() -> None:
    tolls = [{"lost": 0, "heal_seconds": 0.5}, {"lost": 3, "heal_seconds": math.inf}, {"lost": 0, "heal_seconds": 0.4}]
    table = report.markdown(Outcome(MEASURES["crash"], {"huey-w4": tolls}))
    assert "| 3 | – | – | never |" in table


def test_a_page_without_the_place_for_a_table_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- bench:machine --><!-- /bench:machine -->")
    with pytest.raises(ValueError, match="no place for 'speed'"):
        report.write([_outcome(_measure(), ours=[10.0])], page)


def test_every_measure_has_its_place_on_the_page() -> None:
    page = report.PAGE.read_text()
    assert [name for name in MEASURES if f"<!-- bench:{name} -->" not in page] == []


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(body.LOG_VARIABLE, str(tmp_path / "log"))
    body._log.cache_clear()
    body.nap(7)
    body._log.cache_clear()
    first, last = body.read(tmp_path / "log")
    assert (first.number, first.event, last.number, last.event) == (7, body.START, 7, body.END)
    assert body.count(tmp_path / "log") == 2 and last.at_ns > first.at_ns


def test_the_toll_of_a_crash_counts_lost_begun_again_and_finished_twice() -> None:
    def records(*facts: tuple[int, int, int]) -> list[body.Record]:
        return [body.Record(number, at, 0, 1, event) for number, at, event in facts]

    before = records((0, 1, body.START), (0, 2, body.END), (1, 3, body.START), (2, 3, body.START))
    after = records((1, 10, body.START), (1, 2_000_000_100, body.END), (0, 11, body.START), (0, 12, body.END))
    others = records(*((number, 20, event) for number in range(3, crash.RUNS) for event in (body.START, body.END)))
    toll = crash._toll(before, before + after + others, 100)
    assert toll == {"in_flight": 2, "lost": 1, "repeats": 2, "finished_twice": 1, "heal_seconds": math.inf}
    healed = crash._toll(before, before + after + others + records((2, 30, body.START), (2, 40, body.END)), 100)
    assert healed["lost"] == 0 and healed["heal_seconds"] == 2.0


def test_a_kill_that_met_nothing_in_flight_allows_no_repeat() -> None:
    def figures_with(**crash: float) -> figures.Figures:
        return figures.Figures({"crash-brokered": {"rows": {goals.POSTGRES: {"figures": crash}}}})

    (repeats,) = [check for check in goals._crash(goals.POSTGRES) if check.key == "repeats"]
    assert repeats.holds(figures_with(in_flight=0.0, repeats=48.0)) is False
    assert repeats.holds(figures_with(in_flight=50.0, repeats=48.0)) is True
    assert repeats.holds(figures_with(repeats=48.0)) is None
