"""The judgement: what the store says at the end beside what was submitted and what the handlers wrote down."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from shike.audit import Report, audit
from shike.clock import to_datetime
from shike.model import Ended, Fate, State
from tests.fault.real.site import LOOK_SECONDS, PATIENCE, Site

NEW_RUNS = 20  # submitted after the fault, one by one: are they on time?
ON_TIME_SECONDS = 2.0  # on a machine that runs other tests beside this one; undisturbed it is some milliseconds
NEW_PATIENCE = 30.0


class Verdict(Struct, frozen=True, kw_only=True):
    """What was counted on the way."""

    runs: int
    repeats: int
    moments: int
    heal_seconds: float
    late_seconds: float

    def figures(self) -> dict[str, Any]:
        return {
            "runs": self.runs,
            "repeats": self.repeats,
            "moments": self.moments,
            "heal_seconds": round(self.heal_seconds, 1),
            "late_ms": round(self.late_seconds * 1000),
        }


def judge(site: Site, *, repeats_max: int, ticks: bool = True) -> Verdict:
    """P1, P3–P5 and P7 of one scenario, after its fault. `repeats_max`: faults × work in flight.

    Call it as soon as the fault is over: healing, until nothing is missing and new work is on time, is timed from here.
    """
    start = time.monotonic()
    site.until_over(list(site.accepted))
    late_seconds, heal_seconds = until_on_time(site, start)
    moments = judge_ticks(site) if ticks else 0
    ended = site.ended()
    judge_ends(site, ended)
    repeats = judge_effects(site, ended)
    assert repeats <= repeats_max, f"{repeats} effects were repeated, at most {repeats_max} may be"
    return Verdict(
        runs=len(site.accepted), repeats=repeats, moments=moments, heal_seconds=heal_seconds, late_seconds=late_seconds
    )


def until_on_time(site: Site, start: float) -> tuple[float, float]:
    """P5: NEW_RUNS in a row are on time; the latest of them, and how long after `start` the first was handed in."""
    first_at, latest, in_a_row = time.monotonic(), 0.0, 0
    while in_a_row < NEW_RUNS:
        late = lateness(site)
        if late < ON_TIME_SECONDS:
            latest, in_a_row = max(latest, late), in_a_row + 1
        else:
            first_at, latest, in_a_row = time.monotonic(), 0.0, 0
            assert first_at - start < PATIENCE, f"new work is {late:.3f} s late, a minute after the fault"
    return latest, first_at - start


def lateness(site: Site) -> float:
    """Seconds from handing a new run in to its handler's first line."""
    handed_in = time.monotonic()
    (run_id,) = site.submit(1, seconds=0.0)
    site.until_over([run_id], "new work is held up", NEW_PATIENCE)
    first = next(note for note in site.notes("begin") if note.run_id == run_id)
    return max(first.at - handed_in, 0.0)


def judge_ends(site: Site, ended: dict[int, Ended]) -> None:
    """P1: each accepted run is in the history, once, as a success, with its effect in the journal."""
    done = {note.run_id for note in site.notes("end")}
    for run_id, n in site.accepted.items():
        known = ended.get(run_id)
        assert known is not None, f"run {n} is {site.find(run_id)}"
        assert known.state is State.SUCCESS, f"run {n} ended {known.state.name}: {known.reason}"
        assert run_id in done, f"run {n} is a success without an effect"
    counts = site.ask(lambda store: store.counts())
    assert not counts.dead, f"{counts.dead} dead letters"


def judge_effects(site: Site, ended: dict[int, Ended]) -> int:
    """P3 and P4: tokens of a run only grow, and the newest is the accepted one; how many effects were repeats."""
    tokens: dict[int, list[int]] = defaultdict(list)
    for note in site.notes("begin", "tick"):
        tokens[note.run_id].append(note.token)
    for run_id, seen in tokens.items():
        assert seen == sorted(set(seen)), f"run {run_id} began with tokens {seen}"
        if run_id in site.accepted:
            assert ended[run_id].token == seen[-1], f"run {run_id} began with {seen}, accepted: {ended[run_id]}"
    return sum(len(seen) - 1 for seen in tokens.values())


def judge_ticks(site: Site) -> int:
    """P1 and P7 of the schedules: the audit is sound, each planned moment has run; how many there were."""
    report = until_told(site)
    assert report.sound, [(one.schedule, one.first_holes, one.first_doubles) for one in report.schedules]
    assert report.schedules, "there are no schedules"
    ended = site.ended()
    ran = {note.run_id for note in site.notes("tick")}
    moments = 0
    for one in report.schedules:
        rows = site.ask(lambda store, name=one.schedule: store.timetable(name, 0, 1 << 62))
        for row in rows:
            if row.fate is Fate.PLANNED and to_datetime(row.moment) < report.end - timedelta(seconds=PATIENCE / 4):
                known = ended.get(row.run_id)
                assert known is not None, f"moment {row.moment} of {one.schedule} is {site.find(row.run_id)}"
                assert known.state is not State.SUCCESS or row.run_id in ran, "a success without an effect"
        moments += one.moments
    return moments


def until_told(site: Site) -> Report:
    """The audit of the scenario's whole time."""
    end = site.ask(lambda store: store.now())
    start = datetime.now(UTC) - timedelta(seconds=time.monotonic() - site.started_at + 2 * 3600)
    time.sleep(LOOK_SECONDS)
    report: Report = site.ask(lambda store: audit(store, start, to_datetime(end)))
    return report
