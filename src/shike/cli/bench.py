"""`shike bench`: measures that anybody can repeat on their own machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shike.bench import levelling, routes
from shike.bench.arena import JDK, Arena, Result
from shike.bench.contestants import CONTESTANTS
from shike.bench.measures import MEASURES
from shike.bench.pictures import PICTURES
from shike.bench.plot import plot
from shike.bench.report import Conditions, headings, rows
from shike.bench.wake import WAYS, Wakes, in_child
from shike.cli import output
from shike.cli.root import FINE, FOUND
from shike.errors import BadInput

app = App(name="bench", help="Measure on this machine what the documentation promises.")

PENDING_MIN, PENDING_MAX = 100, 20_000_000


@app.command
def timers(
    *,
    only: Annotated[tuple[str, ...], Parameter(help="Only these structures, peers or measures; may be repeated.")] = (),
    pending: Annotated[tuple[int, ...], Parameter(help="How many timers wait; may be repeated.")] = (10_000, 1_000_000),
    seconds: Annotated[float, Parameter(help="End a phase after so much CPU time, and say that it was cut.")] = 5.0,
    plot_to: Annotated[Path | None, Parameter(name="--plot", help="Also write the figures as a picture (SVG).")] = None,
    draw: Annotated[Path | None, Parameter(help="Measure nothing; draw the structures into this folder.")] = None,
    markdown: Annotated[bool, Parameter(help="Print the tables for a Markdown page.", negative="")] = False,
    json: Annotated[bool, Parameter(help="Answer in JSON.", negative="")] = False,
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.", negative="")] = False,
) -> int:
    """Compare all ways of keeping timers, here and elsewhere. Exit code 1 if one of them failed.

    Measures: life (insert, cancel 80 %, pop), batch, preread, steady, second (500,000 in one second), scan ("all due by
    now"). What is not installed (sortedcontainers, APScheduler, a JDK) is left out.
    """
    if draw is not None:
        return _draw(draw)
    measures = [name for name in MEASURES if name in only] or list(MEASURES)
    _check(only, pending, seconds)
    conditions = Conditions()
    with Arena(seconds) as arena:
        here = arena.contestants()
        chosen = [name for name in here if name in only] or ([] if set(only) - set(MEASURES) else here)
        if not chosen:
            raise BadInput(f"not on this machine: {', '.join(only)}; installed or found are: {', '.join(here)}")
        results = arena.take_all(measures, chosen, pending, lambda words: print(words, file=sys.stderr, flush=True))
    if json:
        output.as_json({"conditions": conditions.line(), "results": [result._asdict() for result in results]})
    else:
        _tables(results, conditions.line(), markdown=markdown)
    if plot_to is not None:
        plot_to.write_text(plot(results, conditions.line()), encoding="utf-8")
    return FOUND if any(result.why for result in results) else FINE


@app.command(name="routes")
def routes_(
    *,
    plot_to: Annotated[Path | None, Parameter(name="--plot", help="Also write the waits as a picture (SVG).")] = None,
    plot_lanes: Annotated[Path | None, Parameter(help="Also write the levelling as a picture (SVG).")] = None,
    markdown: Annotated[bool, Parameter(help="Print the tables for a Markdown page.", negative="")] = False,
    json: Annotated[bool, Parameter(help="Answer in JSON.", negative="")] = False,
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.", negative="")] = False,
) -> int:
    """Compare all routes: what a decision costs, how long 10,000 runs of 10 ms wait where one of four workers is four
    times slower, how even a ring shares keys, how soon lanes are level (simulated: the same on every machine)."""
    conditions = Conditions()
    costs, waits, even = routes.costs(), list(routes.skewed()), levelling.evenness()
    lanes = {waiting: levelling.levelling(waiting) for waiting in levelling.LANES}
    if json:
        told = [one._asdict() for one in waits]
        rounds = {waiting: [sample._asdict() for sample in samples] for waiting, samples in lanes.items()}
        told_of = {"micros_per_decision": costs, "waits": told, "evenness": even._asdict(), "levelling": rounds}
        output.as_json({"conditions": conditions.line(), **told_of})
    else:
        _table(("route", "µs a decision"), [[name, f"{micros:.1f}"] for name, micros in costs.items()], markdown)
        headings = ("route", "load", "p50, ms", "p99, ms", "longest, ms", "over 100 ms, %", "p99 ÷ round robin's")
        _table(headings, _waits(waits), markdown)
        _table(
            ("workers", "keys", "fullest ÷ mean", "moved when one leaves, in 1/n", "of others"), _even(even), markdown
        )
        beginnings = ("waiting", "sample", "runs of each worker", "σ of the load", "moved", "most moves of a run")
        _table(beginnings, _lanes(lanes), markdown)
        print(conditions.line())
    if plot_to is not None:
        plot_to.write_text(routes.plot(waits, "simulated: 10,000 runs of 10 ms, 4 slots a worker"), encoding="utf-8")
    if plot_lanes is not None:
        plot_lanes.write_text(levelling.plot(lanes), encoding="utf-8")
    return FINE


def _even(even: levelling.Evenness) -> list[list[str]]:
    numbers = f"{even.workers}", f"{even.keys:,}", f"{even.fullest:.3f}", f"{even.moved:.3f}", f"{even.others_moved}"
    return [list(numbers)]


def _lanes(stories: dict[int, list[levelling.Sample]]) -> list[list[str]]:
    """The first samples: what comes later is a lane that empties."""
    return [
        [
            *(f"{waiting:,}", f"{sample.number}", " · ".join(f"{had:,}" for had in sample.had)),
            *(f"{sample.spread:.3f}", f"{sample.shifted:,}", f"{sample.moves_most}"),
        ]
        for waiting, samples in stories.items()
        for sample in samples[:4]
    ]


def _waits(waits: Sequence[routes.Waits]) -> list[list[str]]:
    ruler = {one.load: one.p99 for one in waits if one.route == "round_robin"}
    return [
        [
            *(one.route, f"{one.load:.0%}", f"{one.p50:,.1f}", f"{one.p99:,.1f}", f"{one.most:,.1f}"),
            *(f"{one.late_percent:.1f}", f"{one.p99 / ruler[one.load]:.3f}" if one.load in ruler else ""),
        ]
        for one in waits
    ]


def _table(headings: Sequence[str], lines: Sequence[Sequence[str]], markdown: bool) -> None:
    if markdown:
        for line in (headings, ["---"] * len(headings), *lines):
            print(f"| {' | '.join(line)} |")
    else:
        output.table(headings, lines)
    print()


@app.command
def wake(
    *,
    count: Annotated[int, Parameter(help="How many deadlines, some 2.5 ms apart.")] = 2_000,
    fifo: Annotated[int, Parameter(help="Also in class SCHED_FIFO with this priority, 1 to 99 (CAP_SYS_NICE).")] = 0,
    json: Annotated[bool, Parameter(help="Answer in JSON.", negative="")] = False,
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.", negative="")] = False,
) -> int:
    """Measure how late a program wakes up, in several ways. Exit code 1 if one of them failed."""
    if not 10 <= count <= 1_000_000:
        raise BadInput(f"--count {count}: between 10 and 1,000,000")
    if not 0 <= fifo <= 99:
        raise BadInput(f"--fifo {fifo}: between 1 and 99, or 0 for none")
    conditions = Conditions()
    ways = [way for way in WAYS if way != "fifo" or fifo]
    taken = {way: in_child(way, count, fifo) for way in ways}
    if json:
        found = {way: wakes._asdict() if wakes else {"why": why} for way, (wakes, why) in taken.items()}
        output.as_json({"conditions": conditions.line(), "late_micros": found})
    else:
        table = [
            [WAYS[way].__doc__, *(_late(wakes) if wakes else [""] * 6), why] for way, (wakes, why) in taken.items()
        ]
        output.table(("late, µs", "p50", "p99", "p999", "max", "early", "CPU, %", ""), table)
        print(f"\n{conditions.line()}")
    return FOUND if any(why for _, why in taken.values()) else FINE


def _late(wakes: Wakes) -> list[str]:
    figures = (wakes.p50, wakes.p99, wakes.p999, wakes.most)
    return [*(f"{figure:,.1f}" for figure in figures), str(wakes.early), f"{wakes.cpu_percent:.1f}"]


def _check(only: Sequence[str], pending: Sequence[int], seconds: float) -> None:
    known = [*MEASURES, *CONTESTANTS, *JDK]
    for name in only:
        if name not in known:
            raise BadInput(f"--only {name}: there is no such measure or structure; choose of: {', '.join(known)}")
    for size in pending:
        if not PENDING_MIN <= size <= PENDING_MAX:
            raise BadInput(f"--pending {size}: between {PENDING_MIN:,} and {PENDING_MAX:,}")
    if not 0.01 <= seconds <= 3_600:
        raise BadInput(f"--seconds {seconds}: between 0.01 and 3,600")


def _draw(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        (folder / f"{name}.svg").write_text(str(picture()), encoding="utf-8")
    print(f"{len(PICTURES)} pictures in {folder}")
    return FINE


def _tables(results: Sequence[Result], conditions: str, *, markdown: bool) -> None:
    for (measure, pending), group in groupby(results, lambda result: (result.measure, result.pending)):
        told = list(group)
        about = " ".join((MEASURES[measure].__doc__ or "").split())
        if markdown:
            print(f"**{measure}, {pending:,} pending.** {about}\n")
            lines = [headings(told), ["---"] * len(headings(told)), *rows(told)]
            print("\n".join(f"| {' | '.join(line)} |" for line in lines))
        else:
            print(f"{measure}, {pending:,} pending. {about}")
            output.table(headings(told), rows(told))
        print()
    print(conditions)
